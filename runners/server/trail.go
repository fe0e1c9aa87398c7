package server

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// Trail keeps a baseline's answers with their distributions, so that servers which run
// after it, or in another run, can be led along them. It is a file of JSON lines,
// one for each prompt; a line that a crash tore is cut off when it is opened again.
type Trail struct {
	mu    sync.Mutex
	file  trailFile
	end   int64 // of the whole lines
	steps map[string][]Step
}

// trailFile is what a trail needs of an *os.File.
type trailFile interface {
	io.ReadWriteSeeker
	io.Closer
	Truncate(size int64) error
	Sync() error
}

// stretch is a line of the file.
type stretch struct {
	Prompt string `json:"prompt_sha256"` // of the ids, each as four bytes, little-endian
	Steps  []Step `json:"steps"`
}

// mostTrail is the longest file that is read.
const mostTrail = 4 << 30

// OpenTrail opens a trail, or begins one.
func OpenTrail(path string) (*Trail, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	t := &Trail{file: file, steps: map[string][]Step{}}
	if err := t.read(path); err != nil {
		file.Close()
		return nil, err
	}
	return t, nil
}

func (t *Trail) read(path string) error {
	lines := bufio.NewReader(io.LimitReader(t.file, mostTrail))
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		var s stretch
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&s); err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
		if len(s.Prompt) != 2*sha256.Size {
			return fmt.Errorf("%s:%d: prompt_sha256 %q is none", path, n, s.Prompt)
		}
		for _, step := range s.Steps {
			if err := step.check(); err != nil {
				return fmt.Errorf("%s:%d: %w", path, n, err)
			}
		}
		t.steps[s.Prompt] = s.Steps
		t.end += int64(len(line))
	}
	return t.cut()
}

// cut cuts off what follows the whole lines.
func (t *Trail) cut() error {
	if err := t.file.Truncate(t.end); err != nil {
		return err
	}
	_, err := t.file.Seek(t.end, io.SeekStart)
	return err
}

func promptKey(ids []int32) string {
	h := sha256.New()
	binary.Write(h, binary.LittleEndian, ids) // a hash takes everything
	return hex.EncodeToString(h.Sum(nil))
}

// put keeps the distributions along the answer to a prompt.
func (t *Trail) put(prompt []int32, steps []Step) error {
	key := promptKey(prompt)
	line, err := json.Marshal(stretch{key, steps})
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n, err := t.file.Write(append(line, '\n'))
	if err != nil { // another server's answer may be written behind it
		return errors.Join(err, t.cut())
	}
	t.end += int64(n)
	t.steps[key] = steps
	return t.file.Sync()
}

// at returns the distributions along the baseline's answer to a prompt, nil where it
// has none.
func (t *Trail) at(prompt []int32) []Step {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.steps[promptKey(prompt)]
}

// Close closes the file.
func (t *Trail) Close() error { return t.file.Close() }
