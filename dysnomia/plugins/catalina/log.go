package catalina

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

const (
	// maxNews is how much of one log file is read at once.
	maxNews = 4 << 20
	// maxTrace is how many lines of a stack trace are kept.
	maxTrace = 500
)

// Record is one entry of a log in the format of Tomcat's OneLineFormatter,
// which is its default.
type Record struct {
	// Date and Clock are when it was written, as the server writes that.
	Date, Clock string
	Thread      string
	// Logger is the class and method that speaks. Unlike the messages, it is
	// the same in all languages.
	Logger  string
	Message string
	// Trace is the stack trace, one line each, without indentation.
	Trace []string
}

// Log reads what a server adds to its log files.
type Log struct {
	dir   string
	files map[string]*logFile
}

type logFile struct {
	offset  int64
	rest    []byte // the beginning of an unfinished line
	records []Record
}

// Follow begins to read the log files of the server at their present ends.
func (s *Server) Follow() *Log {
	l := &Log{dir: filepath.Join(s.Base, "logs"), files: make(map[string]*logFile)}
	for _, name := range l.names() {
		f := new(logFile)
		if info, err := os.Stat(filepath.Join(l.dir, name)); err == nil {
			f.offset = info.Size()
		}
		l.files[name] = f
	}
	return l
}

// names lists the log files, except for those of accesses.
func (l *Log) names() []string {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return nil
	}
	var names []string
	for _, entry := range entries {
		name := entry.Name()
		isLog := strings.HasSuffix(name, ".log") || strings.HasSuffix(name, ".out")
		if isLog && entry.Type().IsRegular() && !strings.Contains(name, "access") {
			names = append(names, name)
		}
	}
	return names
}

// Read reads what is new and returns everything that was read so far, by file.
// A file that cannot be read has nothing to say.
func (l *Log) Read() map[string][]Record {
	all := make(map[string][]Record)
	for _, name := range l.names() {
		f := l.files[name]
		if f == nil {
			f = new(logFile)
			l.files[name] = f
		}
		f.read(filepath.Join(l.dir, name))
		all[name] = f.records
	}
	return all
}

func (f *logFile) read(path string) {
	// The directory is the server's: nothing that its account puts there makes
	// the plugin, which may be root, read something else, or wait.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() < f.offset {
		f.offset, f.rest = 0, nil // it was rotated
	}
	news, _ := io.ReadAll(io.NewSectionReader(file, f.offset, maxNews))
	f.offset += int64(len(news))
	text := append(f.rest, news...)
	end := bytes.LastIndexByte(text, '\n') + 1
	f.rest = slices.Clone(text[end:])
	for line := range strings.Lines(string(text[:end])) {
		f.add(strings.TrimRight(line, "\r\n"))
	}
}

// header is the first line of a record: date, time, level, thread, logger.
var header = regexp.MustCompile(`^(\S+) (\S+) \S+ \[([^\]]*)\] (\S+) (.*)$`)

func (f *logFile) add(line string) {
	if m := header.FindStringSubmatch(line); m != nil {
		if last := len(f.records) - 1; last >= 0 && f.records[last].isChatter() {
			f.records = f.records[:last]
		}
		f.records = append(f.records, Record{Date: m[1], Clock: m[2], Thread: m[3], Logger: m[4], Message: m[5]})
		return
	}
	if len(f.records) == 0 || strings.TrimSpace(line) == "" {
		return
	}
	if last := &f.records[len(f.records)-1]; len(last.Trace) < maxTrace {
		last.Trace = append(last.Trace, strings.TrimSpace(line))
	}
}

// isBefore compares the times of two records. It is false if they are not of
// the same day, because the names of months are in the server's language.
func (r Record) isBefore(other Record) bool { return r.Date == other.Date && r.Clock < other.Clock }

// isChatter reports whether a record says nothing about the server, nor about
// a failure.
func (r Record) isChatter() bool {
	return len(r.Trace) == 0 && !strings.HasPrefix(r.Logger, "org.apache.catalina.")
}

// Cause returns what a record complains about: its message and the innermost
// exception.
func (r Record) Cause() string {
	cause := ""
	for _, line := range r.Trace {
		if strings.HasPrefix(line, "Caused by: ") {
			cause = strings.TrimPrefix(line, "Caused by: ")
		}
	}
	if cause == "" && len(r.Trace) > 0 {
		cause = r.Trace[0]
	}
	if cause == "" {
		return r.Message
	}
	return r.Message + ": " + cause
}
