package soapservice_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/soapwire"
	"github.com/disnix-go/disnix/test/nixtest"
)

// TestClaims asks for changes on behalf of locks, and looks at who is said to
// hold them.
func TestClaims(t *testing.T) {
	nixtest.Store(t)
	s := serveLocal(t)
	header := func(token string) http.Header {
		ctx := service.WithClaim(t.Context(), service.Claim{Token: token, Profile: "default", Owner: &service.LockOwner{User: "älice", Host: "laptop", PID: 1}})
		header := http.Header{}
		soapwire.SetHeader(header, soapwire.ClaimHeader, service.EncodedClaim(ctx))
		return header
	}
	lock := &soapwire.Lock{Profile: new("default")}
	if _, err := s.ask(t.Context(), lock, new(soapwire.LockResponse), header("first")); err != nil {
		t.Fatal(err)
	}
	for name, element := range map[string]string{
		"lock":   `<lock ` + namespace + `><arg0>default</arg0></lock>`,
		"unlock": `<unlock ` + namespace + `><arg0>default</arg0></unlock>`,
	} {
		h := header("second")
		h.Set("Content-Type", "text/xml")
		response, body := s.post(h, strings.NewReader(envelope(element)))
		text, err := soapwire.GetHeader(response.Header, soapwire.RefusalHeader)
		if err != nil {
			t.Fatal(err)
		}
		refusal, err := service.DecodeRefusal(text)
		if err != nil || refusal == nil {
			t.Fatalf("%s: refusal %q, %v: %s", name, text, err, body)
		}
		var locked *service.LockedError
		var lost *service.LostLockError
		switch {
		case errors.As(refusal, &locked) && name == "lock" && locked.Holder.Owner.User == "älice":
		case errors.As(refusal, &lost) && name == "unlock" && lost.Holder.Owner.User == "älice":
		default:
			t.Errorf("%s: %#v", name, refusal)
		}
	}
	for _, claim := range []string{"%zz", "no JSON", "{}"} {
		response, body := s.post(http.Header{"Content-Type": {"text/xml"}, soapwire.ClaimHeader: {claim}}, strings.NewReader(envelope(`<lock `+namespace+`/>`)))
		if response.StatusCode != http.StatusBadRequest || !strings.Contains(body, "Client") {
			t.Errorf("%q: %d %s", claim, response.StatusCode, body)
		}
	}
	if _, err := s.ask(t.Context(), &soapwire.Unlock{Profile: new("default")}, new(soapwire.UnlockResponse), header("first")); err != nil {
		t.Error(err)
	}
}
