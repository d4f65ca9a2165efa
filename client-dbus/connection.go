package dbusclient

import (
	"context"
	"sync"

	"github.com/disnix-go/disnix/service"
)

// Connection is a connection to the bus that is made when it is needed, and
// made again after it was lost, for a program that runs for a long time. It may
// be used from several goroutines.
type Connection struct {
	// SessionBus says which bus it is; otherwise it is the system bus.
	SessionBus bool
	// Directory is as that of [Config].
	Directory string

	mu     sync.Mutex
	client *Client
}

// Service returns the contract over the connection. Closing it leaves the
// connection open.
func (c *Connection) Service(ctx context.Context) (service.Service, error) {
	client, err := c.connected(ctx)
	if err != nil {
		return nil, err
	}
	return shared{client}, nil
}

// Ping tells why the service would not answer.
func (c *Connection) Ping(ctx context.Context) error {
	client, err := c.connected(ctx)
	if err != nil {
		return err
	}
	return client.Ping(ctx)
}

func (c *Connection) connected(ctx context.Context) (*Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client != nil {
		select {
		case <-c.client.Lost():
			_ = c.client.Close() // nothing is lost with it
			c.client = nil
		default:
			return c.client, nil
		}
	}
	client, err := Connect(ctx, Config{SessionBus: c.SessionBus, Directory: c.Directory})
	if err != nil {
		return nil, err
	}
	c.client = client
	return client, nil
}

// Close closes the connection.
func (c *Connection) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client == nil {
		return nil
	}
	return c.client.Close()
}

// shared is a client that several callers have.
type shared struct{ service.Service }

func (shared) Close() error { return nil }
