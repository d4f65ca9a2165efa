package processmanagement

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// imageArchive is an image in the format of docker save.
type imageArchive struct {
	content []byte
	tag     string
}

// dockerImage makes an image with one layer and the configuration. Its tag
// comes from its content, so that a changed image is never taken for the one
// before (process management page, rough edge 5).
func (t *translation) dockerImage(config map[string]any, o *object) (archive imageArchive, err error) {
	layer, err := t.dockerLayer()
	if err != nil {
		return archive, err
	}
	architecture := t.Architecture
	if architecture == "" {
		architecture = runtime.GOARCH
	}
	layerDigest := sha256hex(layer)
	description, err := json.Marshal(map[string]any{
		"architecture": architecture,
		"os":           "linux",
		"created":      "1970-01-01T00:00:01Z",
		"config":       config,
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + layerDigest}},
		"history":      []any{map[string]any{"created": "1970-01-01T00:00:01Z", "created_by": "disnix: managed-process"}},
	})
	if err != nil {
		return archive, err
	}
	digest := sha256hex(description)
	archive.tag = o.textOr("name", strings.ToLower(t.Name)) + ":" + o.textOr("tag", digest[:12])
	manifest, err := json.Marshal([]any{map[string]any{
		"Config":   digest + ".json",
		"RepoTags": []string{archive.tag},
		"Layers":   []string{layerDigest + "/layer.tar"},
	}})
	if err != nil {
		return archive, err
	}
	w := newArchive()
	w.file(digest+".json", 0o644, description)
	w.directory(layerDigest, 0o755, 0, 0)
	w.file(layerDigest+"/layer.tar", 0o644, layer)
	w.file("manifest.json", 0o644, manifest)
	archive.content, err = w.finish()
	return archive, err
}

// dockerLayer makes the files of the image: accounts, empty directories, and
// the scripts of the component under their own paths.
func (t *translation) dockerLayer() ([]byte, error) {
	w := newArchive()
	for _, link := range []string{"bin", "lib", "lib64", "sbin"} {
		w.symlink(link, "usr/"+link)
	}
	for _, dir := range []string{"etc", "nix/store", "proc", "dev", "run", "usr", "var"} {
		w.directory(dir, 0o755, 0, 0)
	}
	w.directory("tmp", 0o1777, 0, 0)
	gids, uids := numbers(t.Groups, "gid"), numbers(t.Users, "uid")
	var passwd, group strings.Builder
	passwd.WriteString("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n")
	group.WriteString("root:x:0:\nnogroup:x:65534:\n")
	for _, name := range slices.Sorted(maps.Keys(t.Groups)) {
		fmt.Fprintf(&group, "%s:x:%d:\n", name, gids[name])
	}
	for _, name := range slices.Sorted(maps.Keys(t.Users)) {
		user := t.Users[name]
		gid, known := gids[user["group"]]
		if !known && user["group"] != "" {
			return nil, fmt.Errorf("the group %q of user %q is not in credentials.groups", user["group"], name)
		}
		home := orText(user["homeDir"], "/nonexistent")
		if strings.ContainsAny(user["description"]+home+user["shell"], ":\n") {
			return nil, fmt.Errorf("the description of user %q contains a colon or a line break", name)
		}
		fmt.Fprintf(&passwd, "%s:x:%d:%d:%s:%s:%s\n", name, uids[name], gid, user["description"], home, orText(user["shell"], "/bin/sh"))
		if user["createHomeDir"] == "1" && path.IsAbs(home) {
			w.directory(path.Clean(home)[1:], 0o755, uids[name], gid)
		}
	}
	w.file("etc/passwd", 0o644, []byte(passwd.String()))
	w.file("etc/group", 0o644, []byte(group.String()))
	for _, name := range slices.Sorted(maps.Keys(t.component.Files)) {
		if file := t.component.Files[name]; file.Executable {
			w.file(strings.TrimPrefix(t.path(name), "/"), 0o755, file.Content)
		}
	}
	return w.finish()
}

func orText(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}

// numbers returns the numbers of accounts: those that are given, and others
// that depend on the names alone, so that files outside of the container keep
// their owners.
func numbers(accounts map[string]map[string]string, key string) map[string]int {
	found, used := map[string]int{}, map[int]bool{}
	for name, settings := range accounts {
		if number, err := strconv.ParseUint(settings[key], 10, 31); err == nil {
			found[name], used[int(number)] = int(number), true
		}
	}
	const first, count = 20000, 20000
	for _, name := range slices.Sorted(maps.Keys(accounts)) {
		if _, given := found[name]; given {
			continue
		}
		hash := fnv.New32a()
		hash.Write([]byte(name))
		number := first + int(hash.Sum32()%count)
		for used[number] {
			number = first + (number-first+1)%count
		}
		found[name], used[number] = number, true
	}
	return found
}

func sha256hex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// archiveWriter writes a tar archive without times, so that equal content gives an
// equal archive. It remembers the first mistake.
type archiveWriter struct {
	buffer bytes.Buffer
	tar    *tar.Writer
	err    error
}

func newArchive() *archiveWriter {
	w := &archiveWriter{}
	w.tar = tar.NewWriter(&w.buffer)
	return w
}

func (w *archiveWriter) header(h *tar.Header) {
	if w.err == nil {
		w.err = w.tar.WriteHeader(h)
	}
}

func (w *archiveWriter) file(name string, mode int64, content []byte) {
	w.header(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content))})
	if w.err == nil {
		_, w.err = w.tar.Write(content)
	}
}

func (w *archiveWriter) directory(name string, mode int64, uid, gid int) {
	w.header(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode, Uid: uid, Gid: gid})
}

func (w *archiveWriter) symlink(name, target string) {
	w.header(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777})
}

func (w *archiveWriter) finish() ([]byte, error) {
	if w.err == nil {
		w.err = w.tar.Close()
	}
	return w.buffer.Bytes(), w.err
}
