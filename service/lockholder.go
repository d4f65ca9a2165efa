package service

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// LockHolder says who holds the lock of a profile. It is the content of the
// lock file, as JSON.
type LockHolder struct {
	User string `json:"user"`
	Host string `json:"host"`
	// PID is the process that holds the lock, or 0 if the lock outlives the
	// process that acquired it.
	PID int `json:"pid,omitempty"`
	// ProcessStart is when the process started, in clock ticks since the
	// machine did. It tells the process from a later one with the same PID.
	ProcessStart uint64 `json:"processStart,omitempty"`
	// PIDNamespace is where the PID is valid.
	PIDNamespace string `json:"pidNamespace,omitempty"`
	// BootID changes whenever the machine is started.
	BootID string    `json:"bootId,omitempty"`
	Since  time.Time `json:"since"`
	// Purpose is what the lock is for, for a person to read.
	Purpose string `json:"purpose,omitempty"`
	// Token is that of the holder's [Claim], if it made one.
	Token string `json:"token,omitempty"`
	// Owner is the coordinator for which the lock is held, if it said so.
	Owner *LockOwner `json:"owner,omitempty"`
	// Link is the process on the target that serves the connection through
	// which the lock was acquired, if there is one.
	Link *LockLink `json:"link,omitempty"`
}

// LockLink is a process that lives as long as a coordinator's connection.
type LockLink struct {
	PID int `json:"pid"`
	process
}

// newLockHolder describes this process as the holder of a lock. If the lock
// shall outlive the process, it is not recorded which one it was.
func newLockHolder(config LocalConfig, claim Claim) LockHolder {
	holder := LockHolder{
		User:    userName(os.Geteuid()),
		Host:    hostName(),
		BootID:  bootID(),
		Since:   time.Now().UTC().Truncate(time.Second),
		Purpose: config.Purpose,
		Token:   claim.Token,
		Owner:   claim.Owner,
	}
	if config.Link {
		holder.Link = &LockLink{PID: os.Getpid(), process: thisProcess()}
	}
	if config.OwnLocks {
		holder.PID = os.Getpid()
		holder.ProcessStart, _ = processStart(holder.PID)
		holder.PIDNamespace = pidNamespace()
	}
	return holder
}

// foreignHolder describes the holder of a lock file that says nothing, or
// nothing that can be read: only its owner and age are known.
func foreignHolder(info fs.FileInfo) LockHolder {
	holder := LockHolder{Since: info.ModTime().UTC().Truncate(time.Second)}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		holder.User = userName(int(stat.Uid))
	}
	if holder.Since.Before(bootTime()) {
		holder.BootID = "earlier"
	} else {
		holder.BootID = bootID()
	}
	return holder
}

// String says who holds the lock, for what and since when.
func (h LockHolder) String() string {
	user, host, purpose, pid := h.User, h.Host, h.Purpose, h.PID
	if o := h.Owner; o != nil {
		user, host, purpose, pid = o.User, o.Host, o.Purpose, o.PID
	}
	var text strings.Builder
	text.WriteString(printable(user))
	if host != "" {
		fmt.Fprintf(&text, " on %s", printable(host))
	}
	var details []string
	if purpose != "" {
		details = append(details, printable(purpose))
	}
	if pid != 0 {
		details = append(details, fmt.Sprintf("process %d", pid))
	}
	if len(details) > 0 {
		fmt.Fprintf(&text, " (%s)", strings.Join(details, ", "))
	}
	fmt.Fprintf(&text, " since %s", h.Since.Local().Format("2006-01-02 15:04:05 MST"))
	return text.String()
}

// printable keeps what others wrote into a lock file from spoiling messages.
func printable(text string) string {
	quoted := strconv.Quote(text)
	return quoted[1 : len(quoted)-1]
}

// isThisProcess reports whether this process holds the lock.
func (h LockHolder) isThisProcess() bool {
	start, _ := processStart(os.Getpid())
	return h.PID == os.Getpid() && h.ProcessStart == start && h.PIDNamespace == pidNamespace() && h.BootID == bootID()
}

// gone returns why the holder cannot exist any more, or nothing if it may. A
// holder on another machine may always exist, and whoever has locked with
// disnix-lock wants that to last until it is unlocked.
func (h LockHolder) gone() string {
	if h.Owner != nil && h.Owner.Kept {
		return ""
	}
	boot := bootID()
	if boot == "" || h.BootID == "" {
		return ""
	}
	if h.BootID != boot {
		if h.Host == "" || h.Host == hostName() {
			return "the machine was restarted since"
		}
		return ""
	}
	if h.PID == 0 || h.PIDNamespace != pidNamespace() {
		return ""
	}
	start, running := processStart(h.PID)
	if !running || start != h.ProcessStart {
		return "its process has ended"
	}
	return ""
}

// interrupted reports whether the holder was to release the lock and cannot
// any more: it has ended, or its connection has.
func (h LockHolder) interrupted() bool {
	if h.Owner == nil || h.Owner.Kept {
		return false
	}
	return h.Owner.ended(h.Owner.PID) || h.Link != nil && h.Link.ended(h.Link.PID)
}

func userName(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "user " + id
}

// hostName returns the name of this machine, or nothing if it has none.
func hostName() string {
	name, _ := os.Hostname()
	return name
}

// bootID returns the identifier of the time since the machine was started, or
// nothing if it is not known.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

// bootTime returns when the machine was started; the zero time if it is not
// known, so that nothing is older.
func bootTime() time.Time {
	stat, _ := os.ReadFile("/proc/stat")
	for line := range bytes.Lines(stat) {
		if seconds, ok := bytes.CutPrefix(line, []byte("btime ")); ok {
			n, err := strconv.ParseInt(string(bytes.TrimSpace(seconds)), 10, 64)
			if err == nil {
				return time.Unix(n, 0)
			}
		}
	}
	return time.Time{}
}

func pidNamespace() string {
	name, _ := os.Readlink("/proc/self/ns/pid")
	return name
}

// processStart returns when a process started, in clock ticks since the
// machine did, and whether it is running. One that only waits for its parent
// to take note of its end is not running.
func processStart(pid int) (ticks uint64, running bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	// The second field is the name in parentheses, which may contain anything.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const state, startTime = 0, 19
	if len(fields) <= startTime || fields[state] == "Z" || fields[state] == "X" {
		return 0, false
	}
	ticks, err = strconv.ParseUint(fields[startTime], 10, 64)
	return ticks, err == nil
}
