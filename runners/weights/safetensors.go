package weights

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"unicode/utf8"
)

// maxHeader is the format's own limit on the JSON header.
const maxHeader = 100 << 20

// OpenSafetensors opens one .safetensors file. As the format requires, its
// tensors must fill the data without holes and overlaps.
func OpenSafetensors(path string) (*File, error) {
	f := &File{path: path}
	if err := f.openShard(path); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (f *File) openShard(path string) error {
	m, err := openMapping(path)
	if err != nil {
		return err
	}
	f.mappings = append(f.mappings, m)
	tensors, metadata, err := parseSafetensors(path, m.data)
	if err != nil {
		return err
	}
	if f.metadata.values == nil {
		f.metadata = metadata
	}
	return f.add(tensors)
}

// parseSafetensors reads a file: the header's length as a 64-bit
// little-endian number, a JSON object from names to dtype, shape and
// data_offsets (relative to the header's end), then the data.
func parseSafetensors(path string, data []byte) ([]*Tensor, Metadata, error) {
	fail := func(at uint64, format string, args ...any) ([]*Tensor, Metadata, error) {
		return nil, Metadata{}, fmt.Errorf("%s: byte %d: %w", path, at, fmt.Errorf(format, args...))
	}
	if len(data) < 8 {
		return fail(0, "a safetensors file starts with 8 bytes of header length; this one has %d bytes", len(data))
	}
	n := binary.LittleEndian.Uint64(data)
	if n > maxHeader {
		return fail(0, "header of %d bytes; the format allows %d (is this a safetensors file?)", n, maxHeader)
	}
	if n > uint64(len(data)-8) {
		return fail(0, "header of %d bytes in a file of %d: cut short?", n, len(data))
	}
	header, base := data[8:8+n], 8+n
	body := data[base:]
	if at := invalidUTF8(header); at >= 0 {
		return fail(uint64(8+at), "header is not UTF-8")
	}
	if len(header) == 0 || header[0] != '{' {
		return fail(8, "header does not start with {")
	}

	metadata := newMetadata(path)
	var tensors []*Tensor
	r := jsonReader{dec: json.NewDecoder(bytes.NewReader(header))}
	r.dec.UseNumber()
	seen := make(map[string]bool)
	err := r.object(func(name string) error {
		if seen[name] {
			return fmt.Errorf("name %q twice", name)
		}
		seen[name] = true
		if name == "__metadata__" {
			return r.object(func(key string) error {
				if metadata.Has(key) {
					return fmt.Errorf("metadata key %q twice", key)
				}
				v, err := r.string()
				if err != nil {
					return fmt.Errorf("metadata key %q: %w", key, err)
				}
				metadata.set(key, v)
				return nil
			})
		}
		t, err := parseTensorInfo(&r, path, name, base, body)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		tensors = append(tensors, t)
		return nil
	})
	if err == nil {
		if _, e := r.dec.Token(); e != io.EOF {
			err = errors.New("more after the header's object")
		}
	}
	if err != nil {
		return fail(8+uint64(r.dec.InputOffset()), "safetensors header: %w", err)
	}

	byOffset := slices.Clone(tensors)
	slices.SortStableFunc(byOffset, compareOffsets)
	next, before := base, "the header"
	for _, t := range byOffset {
		if t.offset != next {
			what := "overlaps"
			if t.offset > next {
				what = "leaves a hole after"
			}
			return fail(t.offset, "tensor %q starts here and %s %s, which ends at byte %d", t.name, what, before, next)
		}
		next, before = next+uint64(len(t.data)), fmt.Sprintf("tensor %q", t.name)
	}
	if next != uint64(len(data)) {
		return fail(next, "%d bytes follow %s and belong to no tensor", uint64(len(data))-next, before)
	}
	return tensors, metadata, nil
}

// compareOffsets orders tensors by offset. An empty tensor comes before another
// one at the same offset.
func compareOffsets(a, b *Tensor) int {
	switch {
	case a.offset < b.offset:
		return -1
	case a.offset > b.offset:
		return 1
	}
	return len(a.data) - len(b.data)
}

// parseTensorInfo reads the object of one tensor. body is the file's data, which
// starts at byte base.
func parseTensorInfo(r *jsonReader, path, name string, base uint64, body []byte) (*Tensor, error) {
	var dtype string
	var shape, offsets []uint64
	seen := make(map[string]bool, 3)
	err := r.object(func(key string) (err error) {
		if seen[key] {
			return fmt.Errorf("%q twice", key)
		}
		seen[key] = true
		switch key {
		case "dtype":
			dtype, err = r.string()
		case "shape":
			shape, err = r.uints()
		case "data_offsets":
			offsets, err = r.uints()
		default:
			err = r.skip()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, key := range []string{"dtype", "shape", "data_offsets"} {
		if !seen[key] {
			return nil, fmt.Errorf("no %s", key)
		}
	}
	l, ok := safetensorsTypes[dtype]
	if !ok {
		return nil, fmt.Errorf("unknown dtype %q: have %s", dtype, typeNames(safetensorsTypes))
	}
	if len(offsets) != 2 {
		return nil, fmt.Errorf("data_offsets has %d numbers, not 2", len(offsets))
	}
	begin, end := offsets[0], offsets[1]
	if begin > end || end > uint64(len(body)) {
		return nil, fmt.Errorf("data_offsets [%d, %d] lie outside the file's %d bytes of data: cut short?", begin, end, len(body))
	}
	size, err := byteSize(l, shape)
	if err != nil {
		return nil, err
	}
	if size != end-begin {
		return nil, fmt.Errorf("data_offsets [%d, %d] hold %d bytes; shape %s of %s takes %d",
			begin, end, end-begin, shapeString(shape), dtype, size)
	}
	return newTensor(path, name, l, shape, body[begin:end:end], base+begin), nil
}

func invalidUTF8(b []byte) int {
	if utf8.Valid(b) {
		return -1
	}
	at := 0
	for at < len(b) {
		r, size := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && size <= 1 {
			return at
		}
		at += size
	}
	return -1
}

// jsonReader reads JSON token by token, because encoding/json silently keeps the
// last of two equal keys when it fills maps and structs.
type jsonReader struct{ dec *json.Decoder }

// object calls field after each key; field must consume the value.
func (r *jsonReader) object(field func(key string) error) error {
	if err := r.delim('{'); err != nil {
		return err
	}
	for r.dec.More() {
		key, err := r.string()
		if err != nil {
			return err
		}
		if err := field(key); err != nil {
			return err
		}
	}
	return r.delim('}')
}

func (r *jsonReader) token() (json.Token, error) {
	t, err := r.dec.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return t, err
}

func (r *jsonReader) delim(want json.Delim) error {
	t, err := r.token()
	if err != nil {
		return err
	}
	if t != want {
		return fmt.Errorf("%v where %v was expected", t, want)
	}
	return nil
}

func (r *jsonReader) string() (string, error) {
	t, err := r.token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("%v where a string was expected", t)
	}
	return s, nil
}

func (r *jsonReader) uints() ([]uint64, error) {
	if err := r.delim('['); err != nil {
		return nil, err
	}
	out := []uint64{}
	for r.dec.More() {
		t, err := r.token()
		if err != nil {
			return nil, err
		}
		n, ok := t.(json.Number)
		if !ok {
			return nil, fmt.Errorf("%v where a number was expected", t)
		}
		v, err := strconv.ParseUint(n.String(), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s is not a count", n)
		}
		if len(out) == maxDims {
			return nil, fmt.Errorf("more than %d numbers", maxDims)
		}
		out = append(out, v)
	}
	return out, r.delim(']')
}

// maxDims is far above the number of dimensions of any tensor.
const maxDims = 16

func (r *jsonReader) skip() error {
	var v json.RawMessage
	return r.dec.Decode(&v)
}

// Entry is a tensor to write. Data holds its numbers as stored in the file,
// little-endian.
type Entry struct {
	Name  string
	DType string // a safetensors name: F32, BF16, I32…
	Shape []int
	Data  []byte
}

// Float32Entry makes an entry of float32 values.
func Float32Entry(name string, values []float32, shape ...int) Entry {
	data := make([]byte, 0, 4*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return Entry{Name: name, DType: "F32", Shape: shape, Data: data}
}

// Int32Entry makes an entry of int32 values.
func Int32Entry(name string, values []int32, shape ...int) Entry {
	data := make([]byte, 0, 4*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, uint32(v))
	}
	return Entry{Name: name, DType: "I32", Shape: shape, Data: data}
}

// WriteSafetensors writes a safetensors file. Wider types come first, so that
// every tensor is aligned to the size of its numbers; otherwise the order is
// kept. path is replaced only when the file is complete.
func WriteSafetensors(path string, tensors []Entry, metadata map[string]string) error {
	ordered := slices.Clone(tensors)
	slices.SortStableFunc(ordered, func(a, b Entry) int {
		return int(safetensorsTypes[b.DType].bits) - int(safetensorsTypes[a.DType].bits)
	})
	var header bytes.Buffer
	header.WriteByte('{')
	if len(metadata) > 0 {
		m, err := json.Marshal(metadata)
		if err != nil {
			return fmt.Errorf("%s: metadata: %w", path, err)
		}
		header.WriteString(`"__metadata__":`)
		header.Write(m)
	}
	seen, at := make(map[string]bool), uint64(0)
	for _, e := range ordered {
		if err := e.check(); err != nil {
			return fmt.Errorf("%s: tensor %q: %w", path, e.Name, err)
		}
		if seen[e.Name] {
			return fmt.Errorf("%s: tensor %q twice", path, e.Name)
		}
		seen[e.Name] = true
		if header.Len() > 1 {
			header.WriteByte(',')
		}
		name, err := json.Marshal(e.Name)
		if err != nil {
			return fmt.Errorf("%s: tensor %q: %w", path, e.Name, err)
		}
		shape, err := json.Marshal(append([]int{}, e.Shape...))
		if err != nil {
			return fmt.Errorf("%s: tensor %q: %w", path, e.Name, err)
		}
		next := at + uint64(len(e.Data))
		fmt.Fprintf(&header, `%s:{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}`, name, e.DType, shape, at, next)
		at = next
	}
	header.WriteByte('}')
	for header.Len()%8 != 0 {
		header.WriteByte(' ')
	}
	if header.Len() > maxHeader {
		return fmt.Errorf("%s: header of %d bytes; the format allows %d", path, header.Len(), maxHeader)
	}

	partial := path + ".partial"
	out, err := os.Create(partial)
	if err != nil {
		return err
	}
	defer os.Remove(partial) // after a failed write; after the rename it does not exist
	write := func() error {
		if _, err := out.Write(binary.LittleEndian.AppendUint64(nil, uint64(header.Len()))); err != nil {
			return err
		}
		if _, err := out.Write(header.Bytes()); err != nil {
			return err
		}
		for _, e := range ordered {
			if _, err := out.Write(e.Data); err != nil {
				return err
			}
		}
		return nil
	}
	if err := errors.Join(write(), out.Close()); err != nil {
		return err
	}
	return os.Rename(partial, path)
}

func (e Entry) check() error {
	l, ok := safetensorsTypes[e.DType]
	if !ok {
		return fmt.Errorf("unknown dtype %q: have %s", e.DType, typeNames(safetensorsTypes))
	}
	if e.Name == "__metadata__" || !utf8.ValidString(e.Name) {
		return errors.New("not a name the format allows")
	}
	shape := make([]uint64, len(e.Shape))
	for i, d := range e.Shape {
		if d < 0 {
			return fmt.Errorf("shape %v", e.Shape)
		}
		shape[i] = uint64(d)
	}
	size, err := byteSize(l, shape)
	if err != nil {
		return err
	}
	if size != uint64(len(e.Data)) {
		return fmt.Errorf("%d bytes of data; shape %v of %s takes %d", len(e.Data), e.Shape, e.DType, size)
	}
	return nil
}
