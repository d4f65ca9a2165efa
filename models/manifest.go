package models

// Manifest is the complete, machine-readable description of one deployed
// system: the document that the coordinator compares, executes and stores as
// a generation. It corresponds to the manifest file, version 2.
//
// A Manifest is not changed after it has been read or built, so it may be
// shared between goroutines.
type Manifest struct {
	// Profiles maps a target name to the store path of its profile.
	Profiles map[string]string
	// Services maps a service key (64 hexadecimal digits, see [ServiceKey];
	// any unique string is accepted) to the service.
	Services map[string]*Service
	// Infrastructure holds every target by name.
	Infrastructure Infrastructure
	// ServiceMappings lists which service is activated where, in model order.
	ServiceMappings []ServiceMapping
	// SnapshotMappings lists whose state is managed, in model order.
	SnapshotMappings []SnapshotMapping
}

// PackageType is the type of services that are installed on their targets, but
// not activated: they have no service mappings.
const PackageType = "package"

// Service is one deployable unit as built for one kind of system.
type Service struct {
	// Name is the attribute name in the services model.
	Name string
	// Package is the store path of the built package.
	Package string
	// Type is the Dysnomia module that activates it.
	Type string
	// DependsOn lists the mappings that must be active before this service.
	DependsOn []Dependency
	// ConnectsTo lists the mappings this service knows without any order.
	ConnectsTo []Dependency
	// ProvidesContainers maps the containers that this service offers to
	// other services to their properties.
	ProvidesContainers map[string]Properties
	// Readiness says what its activation has to wait for; nil for nothing.
	Readiness *Readiness
}

// Dependency refers to a service that is mapped to a container of a target.
type Dependency struct {
	Service   string // key in Manifest.Services
	Container string
	Target    string
}

// ServiceMapping says that a service is active in a container of a target.
type ServiceMapping struct {
	Service   string // key in Manifest.Services
	Container string
	Target    string
	// ContainerProvidedByService is the key of the service on the same target
	// that provides the container, or empty when the container belongs to the
	// machine.
	ContainerProvidedByService string
}

// Identity is what makes two service mappings the same: target, container and
// service key. (Original: formats, section 3 "In-memory order and identity".)
func (m ServiceMapping) Identity() Dependency {
	return Dependency{Service: m.Service, Container: m.Container, Target: m.Target}
}

// SnapshotMapping says that the state of a component is managed: it can be
// captured, moved and restored.
type SnapshotMapping struct {
	ServiceMapping
	// Component is the package name without the hash of its store path.
	Component string
}

// Infrastructure maps target names to targets.
type Infrastructure map[string]*Target

// Target is a machine (or a logical part of one) to which services are
// deployed.
type Target struct {
	Name       string
	Properties Properties
	// Containers maps container names to the properties that are given to
	// the plugins.
	Containers map[string]Properties
	System     string // Nix system, for example x86_64-linux
	// NumOfCores is the number of activities that may run at once, at least 1.
	NumOfCores int
	// ClientInterface is the program or built-in client that reaches it.
	ClientInterface string
	// TargetProperty names the property whose value is the address.
	TargetProperty string
}

// Properties is an attribute set of typed values.
type Properties map[string]Value

// ProfileManifest describes what is deployed to one target. It is the file
// profilemanifest.xml at the top of the target's profile.
type ProfileManifest struct {
	Services         map[string]*Service
	ServiceMappings  []ServiceMapping
	SnapshotMappings []SnapshotMapping
}

// DistributedDerivation lists which store derivations are built on which
// targets.
type DistributedDerivation struct {
	Mappings   []DerivationMapping
	Interfaces map[string]Interface
}

// DerivationMapping assigns a store derivation to an interface.
type DerivationMapping struct {
	Derivation string
	Interface  string // key in DistributedDerivation.Interfaces
}

// Interface says how a build machine is reached.
type Interface struct {
	TargetAddress   string
	ClientInterface string
	// NumOfCores is the number of builds that may run there at once, 1 unless
	// the document says otherwise.
	NumOfCores int
}
