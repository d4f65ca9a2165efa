package dysnomia

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ReadinessProperty is the name under which a coordinator hands over what an
// activation has to wait for: JSON, or JSON in base64 for URLs without padding,
// which no shell on the way can spoil. It is evaluated by the host and never
// reaches a module. The original's host passes it on like any property, which does no
// harm.
const ReadinessProperty = "dysnomiaReadiness"

const (
	defaultReadinessTimeout = time.Minute
	// Between two attempts, the pause grows from the first to the second.
	shortestPause = 20 * time.Millisecond
	longestPause  = 500 * time.Millisecond
	// connectionLimit is how long one connection or answer may take.
	connectionLimit = 5 * time.Second
)

// readiness says what an activation has to wait for, on this machine. All that
// is set must succeed.
type readiness struct {
	// TCP is a port, or host:port, that accepts connections.
	TCP string `json:"tcp"`
	// HTTP is a URL, or a port and path, that answers with 200 to 399.
	HTTP string `json:"http"`
	// Exec is a program and its arguments, which succeeds.
	Exec []string `json:"exec"`
	// Timeout is in seconds.
	Timeout int `json:"timeout"`
}

// takeReadiness removes the property from the variables of a module and reads
// it. Without one it returns nil. What is not understood is refused: it must
// not be passed over in silence.
func takeReadiness(vars, properties map[string]string) (*readiness, error) {
	text := vars[ReadinessProperty]
	delete(vars, ReadinessProperty)
	delete(properties, ReadinessProperty)
	if text == "" {
		return nil, nil
	}
	if !strings.HasPrefix(text, "{") {
		decoded, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("read what the activation has to wait for (%s): it is neither JSON nor JSON in base64: %w", ReadinessProperty, err)
		}
		text = string(decoded)
	}
	ready := new(readiness)
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(ready); err != nil {
		return nil, fmt.Errorf("read what the activation has to wait for (%s): %w", ReadinessProperty, err)
	}
	if ready.TCP == "" && ready.HTTP == "" && len(ready.Exec) == 0 || ready.Timeout < 0 {
		return nil, fmt.Errorf("read what the activation has to wait for (%s): it says nothing to wait for, or no proper timeout", ReadinessProperty)
	}
	return ready, nil
}

// errNotReady is the cause of the end of the attempts.
var errNotReady = errors.New("not ready in time")

// await waits until the component is ready.
func (ready *readiness) await(ctx context.Context, r *Request) error {
	limit := defaultReadinessTimeout
	if ready.Timeout > 0 {
		limit = time.Duration(ready.Timeout) * time.Second
	}
	limited, cancel := context.WithTimeoutCause(ctx, limit, errNotReady)
	defer cancel()
	for _, check := range ready.checks(r) {
		if err := check.await(limited, limit); err != nil {
			return fmt.Errorf("the component is active, but not ready: %w", err)
		}
	}
	return nil
}

// readinessCheck is one thing to wait for.
type readinessCheck struct {
	what string
	try  func(context.Context) error
}

func (ready *readiness) checks(r *Request) []readinessCheck {
	var checks []readinessCheck
	if ready.TCP != "" {
		address := ready.TCP
		if !strings.Contains(address, ":") {
			address = net.JoinHostPort("localhost", address)
		}
		checks = append(checks, readinessCheck{"a connection to " + address,
			func(ctx context.Context) error { return tryConnection(ctx, address) }})
	}
	if ready.HTTP != "" {
		address := ready.HTTP
		if !strings.Contains(address, "://") {
			port, path, _ := strings.Cut(address, "/")
			address = "http://" + net.JoinHostPort("localhost", port) + "/" + path
		}
		checks = append(checks, readinessCheck{"an answer of " + withoutPassword(address),
			func(ctx context.Context) error { return tryHTTP(ctx, address) }})
	}
	if len(ready.Exec) > 0 {
		checks = append(checks, readinessCheck{"the success of " + ready.Exec[0],
			func(ctx context.Context) error { return tryProgram(ctx, r, ready.Exec) }})
	}
	return checks
}

func withoutPassword(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Redacted()
}

// await tries until it succeeds or the context ends, at least once.
func (c readinessCheck) await(ctx context.Context, limit time.Duration) error {
	var last error
	for pause := shortestPause; ; pause = min(2*pause, longestPause) {
		err := c.try(ctx)
		if err == nil {
			return nil
		}
		// An attempt that was cut short says nothing, unless it is all we have.
		if last == nil || ctx.Err() == nil {
			last = err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
			continue
		case <-ctx.Done():
			timer.Stop()
		}
		if cause := context.Cause(ctx); !errors.Is(cause, errNotReady) {
			return fmt.Errorf("wait for %s: %w", c.what, cause)
		}
		return fmt.Errorf("wait for %s: it did not happen within %s: %w", c.what, limit, last)
	}
}

func tryConnection(ctx context.Context, address string) error {
	connection, err := (&net.Dialer{Timeout: connectionLimit}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return connection.Close()
}

// readinessClient asks the server itself, whatever proxies there are, and does
// not follow it elsewhere.
var readinessClient = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func tryHTTP(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, connectionLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	response, err := readinessClient.Do(request)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // the address has been said
		}
		return err
	}
	response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode >= 400 {
		return fmt.Errorf("the answer is %s", response.Status)
	}
	return nil
}

// tryProgram runs a program with the environment of the module.
func tryProgram(ctx context.Context, r *Request, command []string) error {
	path, err := FindProgram(r.Environment, command[0])
	if err != nil {
		return err
	}
	said := &tail{limit: 1024}
	quiet := *r
	quiet.Stdout, quiet.Stderr = said, said
	_, err = quiet.RunProgram(ctx, Activate, path, command[1:]...)
	var failed *ModuleError
	if errors.As(err, &failed) && failed.Err == nil {
		err = fmt.Errorf("exit status %d", failed.ExitCode)
		if failed.Signal != 0 {
			err = fmt.Errorf("killed by signal %d (%s)", int(failed.Signal), failed.Signal)
		}
	} else if failed != nil {
		err = failed.Err
	}
	if text := strings.TrimSpace(said.String()); err != nil && text != "" {
		err = fmt.Errorf("%w: %s", err, text)
	}
	return err
}
