package service_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/disnix-go/disnix/service"
)

func TestRefusalsTravelInDiagnostics(t *testing.T) {
	holder := service.LockHolder{User: "root", Host: "node1", Since: time.Unix(1000, 0).UTC(), Token: "token"}
	for name, refusal := range map[string]error{
		"locked":         &service.LockedError{Profile: "default", Holder: holder, Interrupted: true},
		"lost to others": &service.LostLockError{Profile: "default", Holder: &holder},
		"lost to nobody": &service.LostLockError{Profile: "default"},
	} {
		t.Run(name, func(t *testing.T) {
			line := service.RefusalLine(fmt.Errorf("lock: %w", refusal))
			if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
				t.Fatalf("not one line: %q", line)
			}
			rest, got := service.Refusal([]byte("before\n" + line + "after\n"))
			if string(rest) != "before\nafter\n" || got == nil || got.Error() != refusal.Error() {
				t.Errorf("%q, %v", rest, got)
			}
			var locked *service.LockedError
			if errors.As(refusal, &locked) && !strings.Contains(got.Error(), "interrupted") {
				t.Errorf("%v", got)
			}
			if errors.Is(refusal, service.ErrNotLocked) != errors.Is(got, service.ErrNotLocked) {
				t.Errorf("whether it is locked at all is lost: %v", got)
			}
		})
	}
	if line := service.RefusalLine(errors.New("another reason")); line != "" {
		t.Errorf("another error has the line %q", line)
	}
}

func TestDiagnosticsWithoutRefusals(t *testing.T) {
	for _, text := range []string{"", "text\n", "text", "disnix-lock-refusal: {\n", "disnix-lock-refusal: {}", "x disnix-lock-refusal: {}\n", "disnix-lock\n"} {
		if rest, refusal := service.Refusal([]byte(text)); refusal != nil || string(rest) != text {
			t.Errorf("%q: %q, %v", text, rest, refusal)
		}
	}
}

func TestRefusalsAreNotShown(t *testing.T) {
	const text = "first\ndisnix-lock-refusal: {}\ndisnix-lock is refused\nx disnix-lock-refusal: y\n\nlast"
	const want = "first\ndisnix-lock is refused\nx disnix-lock-refusal: y\n\nlast"
	ctx := service.WithClaim(context.Background(), service.Claim{Token: "token"})
	for _, chunk := range []int{1, 3, len(text)} {
		var shown strings.Builder
		w := service.WithoutRefusals(ctx, &shown)
		for i := 0; i < len(text); i += chunk {
			if _, err := w.Write([]byte(text[i:min(i+chunk, len(text))])); err != nil {
				t.Fatal(err)
			}
		}
		if shown.String() != want {
			t.Errorf("in pieces of %d bytes: %q", chunk, shown.String())
		}
	}
	var shown strings.Builder
	if w := service.WithoutRefusals(context.Background(), &shown); w != &shown {
		t.Error("what is asked for without a claim is filtered")
	}
}

func TestInvalidClaims(t *testing.T) {
	for _, text := range []string{"{", "{}", `{"profile": "default"}`, `{"token": 1}`} {
		if _, err := service.WithEncodedClaim(t.Context(), text); err == nil {
			t.Errorf("%s is accepted", text)
		}
	}
	ctx, err := service.WithEncodedClaim(t.Context(), service.EncodedClaim(service.WithClaim(t.Context(), service.NewClaim("a test", true))))
	claim, ok := service.ClaimOf(ctx)
	if err != nil || !ok || claim.Token == "" || claim.Owner == nil || !claim.Owner.Kept || claim.Owner.Purpose != "a test" {
		t.Errorf("%+v, %v", claim, err)
	}
}
