package catalina

import (
	"regexp"
	"slices"
	"strings"
)

// Verdict is what the log says about a deployment.
type Verdict struct {
	// Finished says that the server has completed it, successfully or not.
	Finished bool
	Failed   bool
	// Reason is the exception that made it fail, or empty.
	Reason string
}

const (
	hostConfig   = "org.apache.catalina.startup.HostConfig."
	startContext = "org.apache.catalina.core.StandardContext.startInternal"
)

// duration is in the message that a deployment has finished, in all languages.
var duration = regexp.MustCompile(`\[[0-9][0-9.,’'\s\x{a0}\x{202f}]*\]`)

// Judge returns the verdict about the last deployment of one of the paths: a
// WAR file or a context file.
func Judge(log map[string][]Record, paths ...string) Verdict {
	mentions := func(r Record) bool {
		return strings.HasPrefix(r.Logger, hostConfig+"deploy") &&
			slices.ContainsFunc(paths, func(p string) bool { return strings.Contains(r.Message, "["+p+"]") })
	}
	for _, records := range log {
		end := lastIndex(records, func(r Record) bool { return mentions(r) && duration.MatchString(r.Message) })
		last := lastIndex(records, func(r Record) bool { return mentions(r) && len(r.Trace) == 0 })
		if end < 0 || end < last {
			continue // another deployment has begun
		}
		thread := records[end].Thread
		begin := lastIndex(records[:end], func(r Record) bool { return mentions(r) && len(r.Trace) == 0 && r.Thread == thread })
		if begin < 0 {
			continue // what has ended is the deployment of what was there before
		}
		during := slices.DeleteFunc(slices.Clone(records[begin+1:end]), func(r Record) bool { return r.Thread != thread })
		v := Verdict{Finished: true, Failed: slices.ContainsFunc(during, func(r Record) bool {
			return r.Logger == startContext || mentions(r) && len(r.Trace) > 0
		})}
		if v.Failed {
			v.Reason = reason(log, during, records[begin], records[end])
		}
		return v
	}
	return Verdict{}
}

// reason returns the first exception of a deployment. What the application
// itself throws is often in the log of its host alone, among what others throw
// that the same thread has deployed before and after it.
func reason(log map[string][]Record, during []Record, begin, end Record) string {
	hasTrace := func(r Record) bool { return len(r.Trace) > 0 }
	if i := slices.IndexFunc(during, hasTrace); i >= 0 {
		return during[i].Cause()
	}
	isOurs := func(r Record) bool {
		return hasTrace(r) && r.Thread == end.Thread && !r.isBefore(begin) && !end.isBefore(r)
	}
	for name, records := range log {
		if strings.HasPrefix(name, "catalina") {
			continue
		}
		if i := lastIndex(records, isOurs); i >= 0 {
			return records[i].Cause()
		}
	}
	return ""
}

// Undeployed reports whether the log says that a context is gone, or going.
func Undeployed(log map[string][]Record, context string) bool {
	for _, records := range log {
		if slices.ContainsFunc(records, func(r Record) bool {
			return r.Logger == hostConfig+"undeploy" && strings.Contains(r.Message, "["+context+"]")
		}) {
			return true
		}
	}
	return false
}

func lastIndex(records []Record, match func(Record) bool) int {
	for i, r := range slices.Backward(records) {
		if match(r) {
			return i
		}
	}
	return -1
}
