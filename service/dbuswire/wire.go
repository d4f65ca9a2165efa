// Package dbuswire is the D-Bus interface of disnix-service (protocol, section
// 1): what the service and its clients have to agree on.
package dbuswire

import (
	"encoding/xml"
	"strings"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/introspect"
)

// Names on the bus.
const (
	Name                      = "org.nixos.disnix.Disnix"
	Interface                 = Name
	Path      dbus.ObjectPath = "/org/nixos/disnix/Disnix"
)

// Signals. Each has the job id (int32) as its first argument, and Success the
// results ([]string) as its second.
const (
	Finish  = "finish"  // a job without results succeeded
	Success = "success" // a job with results succeeded
	Failure = "failure"
)

// Methods that do not begin a job.
const (
	GetJobID  = "get_job_id"
	GetLogDir = "get_logdir"
	// Cancel stops a running job of the caller, which then fails. The original
	// does not have it.
	Cancel = "cancel"
	// Claim says on behalf of which lock the job with that id, which the caller
	// has not begun yet, is going to change something; see
	// service.EncodedClaim. The log of a job that is refused because of a lock
	// then ends with that of service.RefusalLine. The original does not have it.
	Claim = "claim"
)

// Methods returns all methods with their exact arguments. Those that begin a
// job have its id as their first one and no result.
func Methods() []introspect.Method {
	return []introspect.Method{
		{Name: GetJobID, Args: []introspect.Arg{{Name: "pid", Type: "i", Direction: "out"}}},
		{Name: GetLogDir, Args: []introspect.Arg{{Name: "path", Type: "s", Direction: "out"}}},
		job(Cancel),
		job(Claim, "claim s"),
		job("import", "closure s"),
		job("export", "derivation as"),
		job("print_invalid", "derivation as"),
		job("realise", "derivation as"),
		job("set", "profile s", "derivation s"),
		job("query_installed", "profile s"),
		job("query_requisites", "derivation as"),
		job("collect_garbage", "delete_old b"),
		activity("activate"),
		activity("deactivate"),
		activity("delete_state"),
		activity("snapshot"),
		activity("restore"),
		job("lock", "profile s"),
		job("unlock", "profile s"),
		job("query_all_snapshots", "container s", "component s"),
		job("query_latest_snapshot", "container s", "component s"),
		job("print_missing_snapshots", "component as"),
		job("import_snapshots", "container s", "component s", "snapshots as"),
		job("resolve_snapshots", "snapshots as"),
		job("clean_snapshots", "keep i", "container s", "component s"),
		job("capture_config"),
	}
}

// Signature returns the types of the arguments that a method is called with, or
// nothing if there is no such method.
func Signature(method string) string { return signatures[method] }

var signatures = func() map[string]string {
	table := make(map[string]string)
	for _, method := range Methods() {
		var signature strings.Builder
		for _, arg := range method.Args {
			if arg.Direction == "in" {
				signature.WriteString(arg.Type)
			}
		}
		table[method.Name] = signature.String()
	}
	return table
}()

func activity(name string) introspect.Method {
	return job(name, "derivation s", "container s", "type s", "arguments as")
}

// job describes a method whose arguments are given as "name type".
func job(name string, args ...string) introspect.Method {
	method := introspect.Method{Name: name}
	for _, arg := range append([]string{"pid i"}, args...) {
		argument, signature, _ := strings.Cut(arg, " ")
		method.Args = append(method.Args, introspect.Arg{Name: argument, Type: signature, Direction: "in"})
	}
	return method
}

func signals() []introspect.Signal {
	pid := introspect.Arg{Name: "pid", Type: "i"}
	return []introspect.Signal{
		{Name: Finish, Args: []introspect.Arg{pid}},
		{Name: Success, Args: []introspect.Arg{pid, {Name: "derivation", Type: "as"}}},
		{Name: Failure, Args: []introspect.Arg{pid}},
	}
}

// Introspection describes the service's object, with the standard interfaces
// that it has, as the XML document that Introspect returns.
func Introspection() string {
	standard := func(name string, methods ...introspect.Method) introspect.Interface {
		return introspect.Interface{Name: name, Methods: methods}
	}
	in := func(name, signature string) introspect.Arg {
		return introspect.Arg{Name: name, Type: signature, Direction: "in"}
	}
	out := func(name, signature string) introspect.Arg {
		return introspect.Arg{Name: name, Type: signature, Direction: "out"}
	}
	node := introspect.Node{
		Name: string(Path),
		Interfaces: []introspect.Interface{
			standard("org.freedesktop.DBus.Introspectable",
				introspect.Method{Name: "Introspect", Args: []introspect.Arg{out("xml_data", "s")}}),
			standard("org.freedesktop.DBus.Peer",
				introspect.Method{Name: "Ping"},
				introspect.Method{Name: "GetMachineId", Args: []introspect.Arg{out("machine_uuid", "s")}}),
			standard("org.freedesktop.DBus.Properties",
				introspect.Method{Name: "Get", Args: []introspect.Arg{in("interface_name", "s"), in("property_name", "s"), out("value", "v")}},
				introspect.Method{Name: "GetAll", Args: []introspect.Arg{in("interface_name", "s"), out("properties", "a{sv}")}},
				introspect.Method{Name: "Set", Args: []introspect.Arg{in("interface_name", "s"), in("property_name", "s"), in("value", "v")}}),
			{Name: Interface, Methods: Methods(), Signals: signals()},
		},
	}
	document, err := xml.MarshalIndent(node, "", "  ")
	if err != nil {
		panic("describe the D-Bus interface: " + err.Error()) // it is constant
	}
	return introspect.IntrospectDeclarationString + string(document) + "\n"
}
