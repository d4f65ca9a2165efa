package await

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestUntil(t *testing.T) {
	t.Run("ends as soon as it is true", func(t *testing.T) {
		looks := 0
		err := Until(t.Context(), "the third look", time.Minute, func(context.Context) (bool, string, error) {
			looks++
			return looks == 3, "", nil
		})
		if err != nil || looks != 3 {
			t.Errorf("%d looks, error: %v", looks, err)
		}
	})
	t.Run("an error ends it", func(t *testing.T) {
		broken := errors.New("broken")
		err := Until(t.Context(), "it", time.Minute, func(context.Context) (bool, string, error) { return false, "", broken })
		if !errors.Is(err, broken) || err.Error() != "wait for it: broken" {
			t.Errorf("error: %v", err)
		}
	})
	t.Run("so does the context, with its cause", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("stop")
		err := Until(ctx, "it", time.Minute, func(context.Context) (bool, string, error) {
			cancel(stop)
			return false, "", errors.New("interrupted")
		})
		if !errors.Is(err, stop) {
			t.Errorf("error: %v", err)
		}
	})
}

// TestALookThatHangs: the limit also holds for what never answers. It takes no
// time: the clock is that of synctest.
func TestALookThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := Until(t.Context(), "the server", time.Second, func(ctx context.Context) (bool, string, error) {
			<-ctx.Done()
			return false, "", errors.New("no answer")
		})
		var late *TimeoutError
		if !errors.As(err, &late) || late.Limit != time.Second || late.Status != "no answer" {
			t.Errorf("error: %v", err)
		}
	})
}

func TestRoughEdge_modules29(t *testing.T) {
	t.Run("modules 29, item 4: the limit is not off by one look", func(t *testing.T) {
		looks := 0
		err := Until(t.Context(), "the end of the world", 0, func(context.Context) (bool, string, error) {
			looks++
			return false, "it is still there", nil
		})
		var late *TimeoutError
		if !errors.As(err, &late) || looks == 0 {
			t.Fatalf("%d looks, error: %v", looks, err)
		}
		if want := "wait for the end of the world: it did not happen within 0s: it is still there"; err.Error() != want {
			t.Errorf("error: %v, want: %s", err, want)
		}
	})
}
