package soapclient

// LimitReplies makes it an error if the XML of a reply has more bytes.
func (c *Client) LimitReplies(bytes int64) { c.maxXML = bytes }
