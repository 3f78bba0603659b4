// Package vectors reads the test vectors of all languages, for the tests of this module.
package vectors

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// Text is a text of the vectors: itself, or pieces that may be repeated.
type Text string

// UnmarshalJSON joins the pieces.
func (text *Text) UnmarshalJSON(rule []byte) error {
	var whole string
	if json.Unmarshal(rule, &whole) == nil {
		*text = Text(whole)
		return nil
	}
	var pieces []json.RawMessage
	if err := json.Unmarshal(rule, &pieces); err != nil {
		return err
	}
	var joined strings.Builder
	for _, piece := range pieces {
		var repeated struct {
			Repeat string
			Times  int
		}
		if json.Unmarshal(piece, &whole) == nil {
			joined.WriteString(whole)
		} else if err := json.Unmarshal(piece, &repeated); err != nil {
			return err
		} else {
			joined.WriteString(strings.Repeat(repeated.Repeat, repeated.Times))
		}
	}
	*text = Text(joined.String())
	return nil
}

// Bytes is a line of bytes that may be no text, in hexadecimal.
type Bytes []byte

// UnmarshalJSON reads the digits.
func (line *Bytes) UnmarshalJSON(digits []byte) error {
	var text string
	if err := json.Unmarshal(digits, &text); err != nil {
		return err
	}
	read, err := hex.DecodeString(text)
	*line = read
	return err
}

// Line is a case that has a line.
type Line struct {
	Line    Text
	LineHex Bytes `json:"line_hex"`
}

// Bytes is the line, without its end.
func (line Line) Bytes() []byte {
	if line.LineHex != nil {
		return line.LineHex
	}
	return []byte(line.Line)
}

// Root is the repository's folder.
func Root() string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "..", "..", "..", "..")
}

// Run runs a test for each case of a file, each as a subtest of the case's name.
func Run[Case any](t *testing.T, file string, test func(*testing.T, Case)) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(Root(), "tests", "vectors", file+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var read struct{ Cases []json.RawMessage }
	if err := json.Unmarshal(text, &read); err != nil || len(read.Cases) == 0 {
		t.Fatalf("%s: %v, %d cases", file, err, len(read.Cases))
	}
	for _, text := range read.Cases {
		var named struct{ Name string }
		var one Case
		if err := json.Unmarshal(text, &named); err != nil {
			t.Fatal(err)
		}
		t.Run(named.Name, func(t *testing.T) {
			if err := json.Unmarshal(text, &one); err != nil {
				t.Fatal(err)
			}
			test(t, one)
		})
	}
}

// Same tells whether two JSON texts say the same, by the rules of tests/vectors/README.md.
func Same(one, other []byte) bool {
	a, errA := value(one)
	b, errB := value(other)
	return errA == nil && errB == nil && reflect.DeepEqual(a, b)
}

// value is a text's value, with each number in a form that is equal if the numbers are the same.
func value(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var read any
	err := decoder.Decode(&read)
	return exact(read), err
}

func exact(read any) any {
	switch read := read.(type) {
	case json.Number:
		number, err := read.Float64()
		if err != nil {
			return read.String()
		}
		if number == 0 {
			return fmt.Sprint(math.Signbit(number))
		}
		if digits, ok := new(big.Int).SetString(read.String(), 10); ok {
			return digits.String()
		}
		if number == math.Trunc(number) {
			digits, _ := big.NewFloat(number).Int(nil)
			return digits.String()
		}
		return number
	case []any:
		for i := range read {
			read[i] = exact(read[i])
		}
	case map[string]any:
		for name := range read {
			read[name] = exact(read[name])
		}
	}
	return read
}
