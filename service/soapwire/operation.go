package soapwire

import (
	"reflect"
	"strings"
	"sync"
)

// kind is the type of an element of a message.
type kind int

const (
	textKind     kind = iota // *string, nil is null
	textsKind                // []*string, entries may be null
	intKind                  // int32
	boolKind                 // bool
	binaryKind               // *Content
	binariesKind             // []*Content
)

func (k kind) isList() bool { return k == textsKind || k == binariesKind }

var kinds = map[reflect.Type]kind{
	reflect.TypeFor[*string]():    textKind,
	reflect.TypeFor[[]*string]():  textsKind,
	reflect.TypeFor[int32]():      intKind,
	reflect.TypeFor[bool]():       boolKind,
	reflect.TypeFor[*Content]():   binaryKind,
	reflect.TypeFor[[]*Content](): binariesKind,
}

// element is one child of a message's wrapper.
type element struct {
	name  string // of the WSDL
	kind  kind
	field int // of the generated type
}

// shape describes a generated type.
type shape struct {
	wrapper  string // the name of the wrapper element
	elements []element
}

// shapes caches what was found out about types.
var shapes sync.Map

// shapeOf describes the generated type of a message, a pointer to a struct.
func shapeOf(message any) *shape {
	t := reflect.TypeOf(message).Elem()
	if s, ok := shapes.Load(t); ok {
		return s.(*shape)
	}
	s := new(shape)
	for i := range t.NumField() {
		field := t.Field(i)
		name := field.Tag.Get("xml")
		if field.Name == "XMLName" {
			_, s.wrapper, _ = strings.Cut(name, " ")
			continue
		}
		s.elements = append(s.elements, element{name, kinds[field.Type], i})
	}
	shapes.Store(t, s)
	return s
}

// OperationOf returns the name of the operation that a request, a pointer to a
// generated type, is for.
func OperationOf(request any) string { return shapeOf(request).wrapper }

// operations make the requests of the service, by name.
var operations = sync.OnceValue(func() map[string]func() any {
	table := make(map[string]func() any)
	for _, request := range []func() any{
		blank[Importm], blank[ImportLocalFile], blank[Export], blank[ExportRemoteFile],
		blank[PrintInvalid], blank[Realise], blank[Set], blank[QueryInstalled],
		blank[QueryRequisites], blank[CollectGarbage], blank[Activate], blank[Deactivate],
		blank[Lock], blank[Unlock], blank[DeleteState], blank[Snapshot], blank[Restore],
		blank[QueryAllSnapshots], blank[QueryLatestSnapshot], blank[PrintMissingSnapshots],
		blank[ExportRemoteSnapshotPaths], blank[ExportRemoteSnapshots], blank[ImportSnapshots],
		blank[ImportLocalSnapshots], blank[ResolveSnapshots], blank[CleanSnapshots], blank[CaptureConfig],
	} {
		table[OperationOf(request())] = request
	}
	return table
})

func blank[T any]() any { return new(T) }
