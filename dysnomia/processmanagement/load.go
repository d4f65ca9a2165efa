package processmanagement

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Service is a described process with the services that it depends on.
type Service struct {
	*Description
	Dependencies []*Service
	// level is 0 without dependencies, otherwise 1 + that of the highest.
	level int
}

// Load reads a description and those that it depends on: in the directory of a
// dependency, the file that is called like its package. The function read
// reads a file, and name tells the name of the package at a path.
func Load(data []byte, read func(file string) ([]byte, error), name func(path string) string) (*Service, error) {
	l := &loader{read: read, name: name, done: map[string]*Service{}}
	return l.service(data)
}

type loader struct {
	read  func(string) ([]byte, error)
	name  func(string) string
	stack []string
	done  map[string]*Service
}

func (l *loader) service(data []byte) (*Service, error) {
	description, err := Read(data)
	if err != nil {
		return nil, err
	}
	p, err := description.process("")
	if err != nil {
		return nil, err
	}
	s := &Service{Description: description}
	var problems []error
	for _, path := range p.Dependencies {
		dependency, err := l.dependency(path)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		s.Dependencies = append(s.Dependencies, dependency)
		s.level = max(s.level, dependency.level+1)
	}
	return s, errors.Join(problems...)
}

func (l *loader) dependency(path string) (*Service, error) {
	if !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("dependency %q is not an absolute path", path)
	}
	if s, ok := l.done[path]; ok {
		return s, nil
	}
	for _, outer := range l.stack {
		if outer == path {
			return nil, fmt.Errorf("dependency %s depends on itself", path)
		}
	}
	l.stack = append(l.stack, path)
	defer func() { l.stack = l.stack[:len(l.stack)-1] }()
	file := filepath.Join(path, l.name(path)+".json")
	data, err := l.read(file)
	if err != nil {
		return nil, fmt.Errorf("read dependency: %w", err)
	}
	s, err := l.service(data)
	if err != nil {
		return nil, fmt.Errorf("read dependency %s: %w", file, err)
	}
	l.done[path] = s
	return s, nil
}
