package dbusservice

import (
	"context"
	"math"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/disnix-go/disnix/service"
)

func assign(t *testing.T, table *jobTable, caller string) int32 {
	t.Helper()
	id, err := table.assign(caller)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func vanished(name string) *dbus.Signal {
	return &dbus.Signal{Sender: busName, Name: busName + ".NameOwnerChanged", Body: []any{name, name, ""}}
}

// TestVanishedCaller checks that the ids of a caller that has left the bus are
// void, but that its running jobs go on.
func TestVanishedCaller(t *testing.T) {
	s := new(Server)
	unused, used, other := assign(t, &s.jobs, ":1.1"), assign(t, &s.jobs, ":1.1"), assign(t, &s.jobs, ":1.2")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := s.jobs.begin(used, ":1.1", cancel); err != nil {
		t.Fatal(err)
	}
	forged := vanished(":1.2")
	forged.Sender = ":1.9"
	s.DeliverSignal(busName, "NameOwnerChanged", forged)
	s.DeliverSignal(busName, "NameOwnerChanged", &dbus.Signal{Sender: busName, Body: []any{":1.2", "", ":1.2"}})
	s.DeliverSignal(busName, "NameOwnerChanged", vanished(":1.1"))
	if s.jobs.runs(unused) || !s.jobs.runs(used) || !s.jobs.runs(other) {
		t.Errorf("in use: %v, %v, %v", s.jobs.runs(unused), s.jobs.runs(used), s.jobs.runs(other))
	}
	if ctx.Err() != nil {
		t.Error("the running job was cancelled")
	}
	if _, err := s.jobs.begin(unused, ":1.1", cancel); err == nil {
		t.Error("the id can still be used")
	}
}

func TestStoppingRefusesJobsAndWaits(t *testing.T) {
	var table jobTable
	first, second := assign(t, &table, ":1.1"), assign(t, &table, ":1.1")
	if _, err := table.begin(first, ":1.1", func() {}); err != nil {
		t.Fatal(err)
	}
	ended := table.stop()
	if _, err := table.assign(":1.1"); err == nil {
		t.Error("a new id was assigned")
	}
	if _, err := table.begin(second, ":1.1", func() {}); err == nil {
		t.Error("a new job has begun")
	}
	select {
	case <-ended:
		t.Error("the running job was not waited for")
	default:
	}
	table.end(first)
	<-ended
}

func TestNoMoreIDs(t *testing.T) {
	table := jobTable{next: math.MaxInt32}
	if id, err := table.assign(":1.1"); err == nil {
		t.Errorf("id %d", id)
	}
}

func TestClaimsBelongToTheCallersJob(t *testing.T) {
	var table jobTable
	first, second := assign(t, &table, ":1.1"), assign(t, &table, ":1.1")
	claim := service.Claim{Token: "token", Profile: "default"}
	if err := table.claim(first, ":1.2", claim); err == nil {
		t.Error("another caller made a claim for the job")
	}
	if err := table.claim(first, ":1.1", claim); err != nil {
		t.Fatal(err)
	}
	if got, err := table.begin(first, ":1.1", func() {}); err != nil || got == nil || *got != claim {
		t.Errorf("claim %+v, %v", got, err)
	}
	if err := table.claim(first, ":1.1", claim); err == nil {
		t.Error("a claim was made for a job that has begun")
	}
	if got, err := table.begin(second, ":1.1", func() {}); err != nil || got != nil {
		t.Errorf("the other job: claim %+v, %v", got, err)
	}
}
