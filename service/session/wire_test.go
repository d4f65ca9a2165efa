package session

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/servicetest"
)

func TestMessagesSurviveEncoding(t *testing.T) {
	text := rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })
	texts := rapid.Map(rapid.SliceOf(text), func(s []string) []string {
		if len(s) == 0 {
			return nil
		}
		return s
	})
	rapid.Check(t, func(t *rapid.T) {
		m := message{name: text.Draw(t, "name"), words: texts.Draw(t, "words"), list: texts.Draw(t, "list")}
		got, err := decodeMessage(m.encode())
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%#v became %#v, %v", m, got, err)
		}
	})
}

func FuzzDecodeMessage(f *testing.F) {
	f.Add(message{name: "activate", words: []string{"/a", ""}, list: []string{"k=v"}}.encode())
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Add([]byte{0, 0xff, 0xff, 3})
	f.Fuzz(func(t *testing.T, content []byte) {
		m, err := decodeMessage(content)
		if err != nil {
			if !errors.Is(err, ErrProtocol) {
				t.Error(err)
			}
			return
		}
		if again, err := decodeMessage(m.encode()); err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%#v became %#v, %v", m, again, err)
		}
	})
}

// oneWay is a stream that holds what is read and takes everything.
type oneWay struct{ io.Reader }

func (oneWay) Write(p []byte) (int, error) { return len(p), nil }
func (oneWay) Close() error                { return nil }

// frames encodes a conversation.
func frames(list ...frame) []byte {
	var buf []byte
	for _, f := range list {
		buf = appendFrame(buf, f)
	}
	return buf
}

func open(id uint32, name string, words ...string) frame {
	return frame{kindOpen, id, message{name: name, words: words}.encode()}
}

// FuzzServe sends anything to a target: it ends with the stream.
func FuzzServe(f *testing.F) {
	f.Add(frames(open(1, "query-installed", "p"), frame{kind: kindCancel, id: 1}))
	f.Add(frames(open(1, "import"), frame{kindInput, 1, []byte("text")}, frame{kind: kindEnd, id: 1}))
	f.Add(frames(frame{kind: kindPing}, creditFrame(1, 5)))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, byte(kindOpen), 0, 0, 0, 1, 2})
	f.Fuzz(func(t *testing.T, content []byte) {
		_ = Serve(context.Background(), oneWay{io.MultiReader(bytes.NewReader(greeting()), bytes.NewReader(content))}, new(servicetest.Fake))
	})
}

// FuzzClient lets a target answer anything.
func FuzzClient(f *testing.F) {
	f.Add(frames(frame{kindOutput, 1, []byte("text")}, frame{kindResult, 1, message{name: outcomeDone}.encode()}))
	f.Add(frames(frame{kindResult, 1, message{name: outcomeFailed, words: []string{"reason", "x"}}.encode()}))
	f.Add(frames(creditFrame(1, 1<<31), frame{kind: kindPong}))
	f.Fuzz(func(t *testing.T, content []byte) {
		c, err := Connect(t.Context(), oneWay{io.MultiReader(bytes.NewReader(greeting()), bytes.NewReader(content))}, Config{})
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Activate(t.Context(), service.Activity{Output: io.Discard})
		_ = c.Close()
	})
}

func TestViolationsEndTheSession(t *testing.T) {
	chunk := frame{kindInput, 1, make([]byte, maxChunk)}
	flood := []frame{open(1, "import")}
	for range window/maxChunk + 1 {
		flood = append(flood, chunk)
	}
	waits := &servicetest.Fake{Hook: func(ctx context.Context, _ servicetest.Call) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	for name, content := range map[string][]byte{
		"an unknown kind":                 frames(frame{kind: 99}),
		"a result from the coordinator":   frames(open(1, "query-installed", "p"), frame{kindResult, 1, nil}),
		"a chunk that is too long":        frames(frame{kindInput, 1, make([]byte, maxChunk+1)}),
		"a request that is too long":      {0xff, 0xff, 0xff, 0xff, byte(kindOpen), 0, 0, 0, 1},
		"a malformed request":             frames(frame{kindOpen, 1, []byte("\xff")}),
		"a malformed credit":              frames(frame{kindCredit, 1, []byte("\xff")}),
		"more credit than there can be":   frames(open(1, "query-installed", "p"), creditFrame(1, 1)),
		"an operation that begins twice":  frames(open(1, "query-installed", "p"), open(1, "query-installed", "p")),
		"more than was granted":           frames(flood...),
		"input after its end":             frames(open(1, "import"), frame{kind: kindEnd, id: 1}, chunk),
		"more operations than are usual":  manyOperations(),
		"a cancellation that has content": frames(frame{kindCancel, 1, []byte("x")}),
	} {
		t.Run(name, func(t *testing.T) {
			here, there := net.Pipe()
			served := make(chan error, 1)
			go func() { served <- Serve(context.Background(), there, waits) }()
			go func() { _, _ = io.Copy(io.Discard, here) }()
			_, _ = here.Write(greeting())
			_, _ = here.Write(content)
			if err := <-served; !errors.Is(err, ErrProtocol) {
				t.Errorf("error %v", err)
			}
			_ = here.Close()
		})
	}
}

func manyOperations() []byte {
	var buf []byte
	for id := range uint32(maxOperations + 1) {
		buf = appendFrame(buf, open(id, "query-installed", "p"))
	}
	return buf
}

func TestMalformedRequestsFail(t *testing.T) {
	here, there := net.Pipe()
	go func() { _ = Serve(context.Background(), there, new(servicetest.Fake)) }()
	c, err := Connect(t.Context(), here, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, m := range []message{{name: "explode"}, {name: "query-installed"}, {name: "clean-snapshots", words: []string{"many", "", ""}}} {
		var remote *RemoteError
		if _, err := c.call(t.Context(), m, streams{}); !errors.As(err, &remote) {
			t.Errorf("%v: %v", m, err)
		}
	}
	if err := c.Lock(t.Context(), "p"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
