package webserver

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// TestStopReading stops reading in the handler, before and after everything has
// been read. The next request of the client is not affected, whether it can use
// the connection or not.
func TestStopReading(t *testing.T) {
	const text = "the body"
	read := func(r *http.Request, size int) error {
		_, err := io.ReadFull(r.Body, make([]byte, size))
		return err
	}
	for name, handle := range map[string]func(*http.Request) error{
		"before a read": func(r *http.Request) error {
			ExchangeOf(r.Context()).StopReading()
			if err := read(r, len(text)); !errors.Is(err, os.ErrDeadlineExceeded) {
				return err
			}
			return nil
		},
		"after a part": func(r *http.Request) error {
			err := read(r, 3)
			ExchangeOf(r.Context()).StopReading()
			return err
		},
		"after everything, except for its end": func(r *http.Request) error {
			err := read(r, len(text))
			ExchangeOf(r.Context()).StopReading()
			return err
		},
		"after everything": func(r *http.Request) error {
			_, err := io.ReadAll(r.Body)
			ExchangeOf(r.Context()).StopReading()
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer http.DefaultClient.CloseIdleConnections()
			s := run(t, Config{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					if err := r.Context().Err(); err != nil {
						t.Errorf("the next request begins with: %v", err)
					}
					return
				}
				if err := handle(r); err != nil {
					t.Error(err)
				}
				for range 5 { // time for what the server reads in the background
					get(t, http.DefaultClient, "http://"+r.Host+HealthPath)
				}
			})})
			client := &http.Client{Transport: new(http.Transport)}
			defer client.CloseIdleConnections()
			response, err := client.Post(s.url, "text/plain", strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			if status, _ := get(t, client, s.url); status != http.StatusOK {
				t.Errorf("status %d", status)
			}
		})
	}
}
