package server

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// mostLine is the longest line of a stream: an event, with the most likely tokens of
// a step, takes kilobytes.
const mostLine = 16 << 20

// events reads server-sent events, and gives the data of each, and its name where it
// has one, to each until that says that it has enough or the stream ends. Comments,
// which servers send to keep connections open, are no events. Lines that are only a
// field's beginning when the stream ends are dropped, as the standard says.
//
// The format: https://html.spec.whatwg.org/multipage/server-sent-events.html
func events(r io.Reader, each func(data []byte) (enough bool, err error)) error {
	lines := bufio.NewReaderSize(r, 64<<10)
	var data []byte
	some := false
	for {
		line, err := readLine(lines)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch {
		case len(line) > 0 && (string(field) == "data" || string(field) == "error"): // llama.cpp names its errors so
			if some {
				data = append(data, '\n')
			}
			if string(field) == "error" {
				value = fmt.Appendf(nil, `{"error":%s}`, value)
			}
			if len(data)+len(value) > mostLine {
				return fmt.Errorf("an event of the stream is longer than %d MiB", mostLine>>20)
			}
			data, some = append(data, value...), true
		case len(line) == 0 && some:
			enough, err := each(data)
			if enough || err != nil {
				return err
			}
			data, some = data[:0], false
		}
	}
}

// readLine returns a line without its end.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > mostLine {
			return nil, fmt.Errorf("a line of the stream is longer than %d MiB", mostLine>>20)
		}
		if err == nil {
			return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
	}
}
