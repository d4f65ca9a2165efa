package plan

import (
	"fmt"
	"strings"
)

// mostNamed is how many changed dependencies or places a reason lists.
const mostNamed = 3

// place is where a service is mapped, whatever its key: by it the old and the
// new edition of a service find each other.
type place struct{ name, target, container string }

func (m *mapping) place() place { return place{m.service.Name, m.Target, m.Container} }

// reasons is what has to be known about both sides to say why something
// changes.
type reasons struct {
	oldAt, newAt map[place]int
	// left and entered hold by service name the places that only the old, or
	// only the new, deployment has.
	left, entered map[string][]place
	// known holds the names of the services that the old deployment has.
	known map[string]place
	// differences holds for each new mapping what [planner.difference] said.
	differences []string
}

// explain prepares what whyActivate and whyDeactivate need.
func (p *planner) explain() {
	p.reasons = reasons{
		oldAt:   placesOf(p.from.deployment),
		newAt:   placesOf(p.to.deployment),
		left:    make(map[string][]place),
		entered: make(map[string][]place),
		known:   make(map[string]place),

		differences: make([]string, len(p.to.mappings)),
	}
	for i := range p.from.mappings {
		at := p.from.mappings[i].place()
		if _, ok := p.reasons.newAt[at]; !ok {
			p.reasons.left[at.name] = append(p.reasons.left[at.name], at)
		}
		p.reasons.known[at.name] = at
	}
	for i := range p.to.mappings {
		at := p.to.mappings[i].place()
		if _, ok := p.reasons.oldAt[at]; !ok {
			p.reasons.entered[at.name] = append(p.reasons.entered[at.name], at)
		}
	}
}

func placesOf(d *deployment) map[place]int {
	places := make(map[place]int, len(d.mappings))
	for i := range d.mappings {
		places[d.mappings[i].place()] = i
	}
	return places
}

func (p *planner) whyActivate(i int) string {
	at := p.to.mappings[i].place()
	if p.options.NoUpgrade {
		return "everything is activated, since no upgrade is wanted"
	}
	if old, ok := p.reasons.oldAt[at]; ok {
		return p.difference(old, i)
	}
	if left := p.reasons.left[at.name]; len(left) > 0 {
		return "moved from " + namePlaces(left, at)
	}
	if other, ok := p.reasons.known[at.name]; ok {
		return "additional instance, besides the one on " + namePlaces([]place{other}, at)
	}
	return "new service"
}

func (p *planner) whyDeactivate(i int) string {
	at := p.from.mappings[i].place()
	var why []string
	if _, ok := p.to.manifest.Infrastructure[at.target]; !ok {
		why = append(why, fmt.Sprintf("target %q is no longer in the infrastructure", at.target))
	}
	if now, ok := p.reasons.newAt[at]; ok {
		why = append(why, p.difference(i, now))
	} else if entered := p.reasons.entered[at.name]; len(entered) > 0 {
		why = append(why, "moved to "+namePlaces(entered, at))
	} else if len(why) == 0 {
		why = append(why, "no longer in the manifest")
	}
	return strings.Join(why, "; ")
}

// namePlaces lists places as seen from one: only what differs is named.
func namePlaces(places []place, from place) string {
	names := make([]string, 0, mostNamed+1)
	for i, at := range places {
		if i == mostNamed {
			names = append(names, fmt.Sprintf("%d more", len(places)-i))
			break
		}
		switch {
		case at.target != from.target && at.container != from.container:
			names = append(names, fmt.Sprintf("%s (container %s)", at.target, at.container))
		case at.target != from.target:
			names = append(names, at.target)
		default:
			names = append(names, "container "+at.container)
		}
	}
	return strings.Join(names, ", ")
}

// difference says what is new about a service that stays where it is. It is
// asked once for the deactivation and once for the activation.
func (p *planner) difference(old, now int) string {
	said := &p.reasons.differences[now]
	if *said == "" {
		*said = p.compareEditions(&p.from.mappings[old], &p.to.mappings[now])
	}
	return *said
}

func (p *planner) compareEditions(was, is *mapping) string {
	var why []string
	if was.service.Package != is.service.Package {
		why = append(why, fmt.Sprintf("package changed from %s to %s", was.service.Package, is.service.Package))
	}
	if was.service.Type != is.service.Type {
		why = append(why, fmt.Sprintf("type changed from %s to %s", was.service.Type, is.service.Type))
	}
	before, after := p.from.providerName(was), p.to.providerName(is)
	if before != after {
		why = append(why, fmt.Sprintf("container provider changed from %s to %s", before, after))
	} else if was.ContainerProvidedByService != is.ContainerProvidedByService {
		why = append(why, fmt.Sprintf("container provider %s changed", after))
	}
	why = append(why, p.changedDependencies(was, is)...)
	if len(why) == 0 {
		return "service key changed"
	}
	return strings.Join(why, "; ")
}

// providerName names what provides a mapping's container.
func (s *side) providerName(m *mapping) string {
	if m.ContainerProvidedByService == "" {
		return "the machine"
	}
	return s.manifest.Services[m.ContainerProvidedByService].Name
}
