package soapclient

import (
	"net/http"
	"time"
)

// AwaitPermission lets the beginning of uploads wait that long for the
// permission to continue.
func (c *Client) AwaitPermission(limit time.Duration) {
	c.http.Transport.(*http.Transport).ExpectContinueTimeout = limit
}

// LimitReplies makes it an error if the XML of a reply has more bytes.
func (c *Client) LimitReplies(bytes int64) { c.maxXML = bytes }
