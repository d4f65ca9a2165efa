package journal

import (
	"fmt"
	"time"

	"github.com/disnix-go/disnix/service/fault"
)

// Begin records that a coordinator takes over an unfinished deployment, with
// room on the disk for that many actions.
func (j *Journal) Begin(run Run, actions int) error {
	if err := reserve(j.file, actions); err != nil {
		return fmt.Errorf("write the journal %s: %w", j.place.Path(), err)
	}
	return j.append(record{Kind: runRecord, Run: &run}, true)
}

// Enter records that a phase begins.
func (j *Journal) Enter(p Phase) error {
	if j == nil {
		return nil
	}
	return j.append(record{Kind: phaseRecord, Phase: p}, true)
}

// LoseLocks records that somebody else has taken the locks away, and how that was
// noticed.
func (j *Journal) LoseLocks(how string) error {
	if j == nil {
		return nil
	}
	return j.append(record{Kind: lostRecord, Error: shorten(how)}, true)
}

// Do carries out an action between the records of its begin and its end. When
// do is called, the begin is on the disk; if it cannot be written, do is not
// called. The end is on the disk before any later action begins, so that it
// needs not be waited for.
//
// Records of actions that begin at the same time are written together.
func (j *Journal) Do(a Action, do func() error) error {
	if j == nil {
		return do()
	}
	id := j.nextID()
	if err := j.append(record{Kind: beginRecord, ID: id, Action: &a}, true); err != nil {
		return err
	}
	err := do()
	end := record{Kind: endRecord, ID: id}
	if err != nil {
		end.Error = shorten(err.Error())
	}
	// If this is not written, the action is in doubt, and no other can begin.
	_ = j.append(end, false)
	return err
}

// Of is [State.Of], and may be called while actions are under way.
func (j *Journal) Of(a Action) Outcome {
	if j == nil {
		return Outcome{}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state.Of(a)
}

// IsDone reports whether the latest action on what a changes was a successful
// one of the same kind.
func (j *Journal) IsDone(a Action) bool {
	o := j.Of(a)
	return o.Kind == a.Kind && o.Result == Done
}

func (j *Journal) nextID() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.state.lastID++
	return j.state.lastID
}

// shorten bounds the size of what a record says about a failure, which has
// been reported in full.
func shorten(text string) string {
	const longest = 256
	if len(text) > longest {
		text = text[:longest]
	}
	return text
}

// append adds a record. With durable it returns when the record is on the
// disk, together with all before it. After a failure nothing can be added any
// more: it is not known what is on the disk.
func (j *Journal) append(r record, durable bool) error {
	r.Time = time.Now().UTC()
	line, err := r.encode()
	if err != nil {
		return fmt.Errorf("write the journal %s: %w", j.place.Path(), err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	if err := j.state.apply(r); err != nil {
		return err
	}
	j.pending = append(j.pending, line...)
	j.appended++
	if !durable {
		if !j.writing {
			j.write()
		}
		return j.err
	}
	for number := j.appended; j.durable < number && j.err == nil; {
		if j.writing {
			j.written.Wait()
		} else {
			j.commit()
		}
	}
	return j.err
}

// commit writes everything that is pending and waits until it is on the disk.
// Meanwhile others add to the next batch.
func (j *Journal) commit() {
	batch, number := j.pending, j.appended
	j.pending = nil
	j.writing = true
	j.mu.Unlock()
	err := j.put(batch)
	if err == nil {
		err = fault.Point("journal/sync")
	}
	if err == nil {
		err = j.file.Sync()
	}
	if err == nil {
		err = fault.Point("journal/synced")
	}
	j.mu.Lock()
	j.writing = false
	j.durable = number
	j.fail(err)
	j.write()
	j.written.Broadcast()
}

// write writes what is pending, so that it outlives this process, without
// waiting for the disk.
func (j *Journal) write() {
	if len(j.pending) == 0 || j.err != nil {
		return
	}
	batch := j.pending
	j.pending = nil
	j.fail(j.put(batch))
}

func (j *Journal) put(batch []byte) error {
	if err := fault.Point("journal/write"); err != nil {
		return err
	}
	_, err := j.file.Write(batch)
	return err
}

func (j *Journal) fail(err error) {
	if err != nil && j.err == nil {
		j.err = fmt.Errorf("write the journal %s: %w", j.place.Path(), err)
	}
}
