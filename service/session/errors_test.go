package session

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/disnix-go/disnix/service"
)

func TestTheHolderOfALockIsKnownToTheCoordinator(t *testing.T) {
	holder := service.LockHolder{User: "root", Host: "node1", Since: time.Unix(1000, 0).UTC(), Purpose: "disnix-env"}
	_, err := failure(fmt.Errorf("lock: %w", &service.LockedError{Profile: "default", Holder: holder})).result()
	var locked *service.LockedError
	if !errors.As(err, &locked) || locked.Profile != "default" || locked.Holder != holder {
		t.Errorf("the holder is %+v in %v", locked, err)
	}
	if _, err := failure(errors.New("no lock")).result(); errors.As(err, &locked) {
		t.Errorf("another error has the holder %+v", locked)
	}
	for _, words := range [][]string{{"text"}, {"text", "1", "{"}, {"text", "1", "{}", "more"}} {
		if _, err := (message{name: outcomeFailed, words: words}).result(); !errors.Is(err, ErrProtocol) {
			t.Errorf("%q gave %v", words, err)
		}
	}
}
