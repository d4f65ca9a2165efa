package sshclient

import "github.com/disnix-go/disnix/service"

var _ service.LoggedIn = (*Client)(nil)

// User implements [service.LoggedIn].
func (c *Client) User() string { return c.link.client.User() }
