package supervisordprogram

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// rpc is the XML-RPC interface (http://supervisord.org/api.html).
type rpc struct {
	endpoint endpoint
	client   *http.Client
}

// callTimeout is how long supervisord may take to answer. No call waits for a
// process.
const callTimeout = 30 * time.Second

func newRPC(e endpoint) rpc {
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, e.network, e.address)
		},
	}
	return rpc{endpoint: e, client: &http.Client{Transport: transport, Timeout: callTimeout}}
}

// call calls a method of the namespace supervisor.
func (c rpc) call(ctx context.Context, method string, arguments ...any) (any, error) {
	result, err := c.exchange(ctx, "supervisor."+method, arguments)
	var reported *fault
	if err != nil && !errors.As(err, &reported) {
		return nil, fmt.Errorf("ask supervisord at %s: %w", c.endpoint, err)
	}
	if err != nil {
		return nil, fmt.Errorf("supervisord refuses %s%v: %w", method, arguments, err)
	}
	return result, nil
}

func (c rpc) exchange(ctx context.Context, method string, arguments []any) (any, error) {
	body, err := encodeCall(method, arguments...)
	if err != nil {
		return nil, err
	}
	// The host is that of the URL only: the endpoint says where it is.
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://supervisord/RPC2", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "text/xml")
	if c.endpoint.username != "" {
		request.SetBasicAuth(c.endpoint.username, c.endpoint.password)
	}
	response, err := c.client.Do(request)
	if err != nil {
		return nil, unwrapped(ctx, err)
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		const most = 16 << 20
		return decodeResponse(io.LimitReader(response.Body, most))
	case http.StatusUnauthorized:
		return nil, errors.New("it refuses the user name or password: check supervisordUsername and supervisordPassword")
	}
	return nil, fmt.Errorf("it answers %s", response.Status)
}

// unwrapped removes the URL from an error, which means nothing, and says what
// can be done.
func unwrapped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var network *net.OpError
	if errors.As(err, &network) && network.Op == "dial" {
		return fmt.Errorf("%w: is supervisord running?", network.Err)
	}
	var request *url.Error
	if errors.As(err, &request) {
		return fmt.Errorf("it does not answer: %w", request.Err)
	}
	return err
}

func (c rpc) processes(ctx context.Context) ([]process, error) {
	result, err := c.call(ctx, "getAllProcessInfo")
	if err != nil {
		return nil, err
	}
	var all []process
	for _, info := range structs(result) {
		p := process{}
		p.group, _ = info["group"].(string)
		p.name, _ = info["name"].(string)
		p.state, _ = info["statename"].(string)
		p.description, _ = info["description"].(string)
		p.exitStatus, _ = info["exitstatus"].(int)
		all = append(all, p)
	}
	return all, nil
}

func structs(result any) []map[string]any {
	list, _ := result.([]any)
	var all []map[string]any
	for _, element := range list {
		if info, ok := element.(map[string]any); ok {
			all = append(all, info)
		}
	}
	return all
}

func (c rpc) reread(ctx context.Context) ([]string, error) {
	result, err := c.call(ctx, "reloadConfig")
	if err != nil {
		return nil, err
	}
	changes, err := changedGroups(result)
	return changes[1], err
}

func (c rpc) add(ctx context.Context, group string) error {
	_, err := c.call(ctx, "addProcessGroup", group)
	if isFault(err, faultAlreadyAdded) {
		return nil
	}
	return err
}

// changedGroups reads the answer of reloadConfig: names of groups that were
// added, changed and removed.
func changedGroups(result any) (changes [3][]string, err error) {
	outer, _ := result.([]any)
	if len(outer) == 1 {
		outer, _ = outer[0].([]any)
	}
	if len(outer) != len(changes) {
		return changes, errors.New("the answer of supervisord to reloadConfig is unknown")
	}
	for i := range changes {
		names, _ := outer[i].([]any)
		for _, name := range names {
			text, _ := name.(string)
			changes[i] = append(changes[i], text)
		}
	}
	return changes, nil
}

func isFault(err error, codes ...int) bool {
	var reported *fault
	return errors.As(err, &reported) && slices.Contains(codes, reported.Code)
}

func (c rpc) start(ctx context.Context, p process) error {
	_, err := c.call(ctx, "startProcess", p.group+":"+p.name, false)
	if isFault(err, faultAlreadyStart) {
		return nil
	}
	return err
}

func (c rpc) stop(ctx context.Context, group string) error {
	_, err := c.call(ctx, "stopProcessGroup", group, false)
	if isFault(err, faultBadName, faultNotRunning) {
		return nil
	}
	return err
}

func (c rpc) remove(ctx context.Context, group string) error {
	_, err := c.call(ctx, "removeProcessGroup", group)
	if isFault(err, faultBadName) {
		return nil
	}
	return err
}

func (c rpc) manual(ctx context.Context) (map[string]bool, error) {
	result, err := c.call(ctx, "getAllConfigInfo")
	if isFault(err, faultUnknownMethod) {
		return nil, nil // before supervisord 4
	}
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, info := range structs(result) {
		if autostart, known := info["autostart"].(bool); known && !autostart {
			group, _ := info["group"].(string)
			name, _ := info["name"].(string)
			names[process{group: group, name: name}.fullName()] = true
		}
	}
	return names, nil
}

func (c rpc) stderr(ctx context.Context, p process) string {
	const most = 1000
	result, err := c.call(ctx, "tailProcessStderrLog", p.group+":"+p.name, 0, most)
	if err != nil {
		return "" // it has none, which is not worth a message
	}
	parts, _ := result.([]any)
	if len(parts) == 0 {
		return ""
	}
	text, _ := parts[0].(string)
	return strings.TrimSpace(text)
}
