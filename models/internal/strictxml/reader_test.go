package strictxml

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// outline reads a whole document and describes it: elements with attributes
// and, for those without child elements, their text.
func outline(data string) (string, error) {
	var b strings.Builder
	r := NewReader([]byte(data))
	if r.Root() {
		describe(r, &b)
	}
	return b.String(), r.Finish()
}

func describe(r *Reader, b *strings.Builder) {
	b.WriteString("(")
	b.Write(r.Name())
	for _, a := range r.attrs {
		fmt.Fprintf(b, " %s=%q", a.name, a.value)
	}
	if _, ok := r.Attribute("text"); ok {
		fmt.Fprintf(b, " %q)", r.Text())
		return
	}
	for r.Child() {
		b.WriteString(" ")
		describe(r, b)
	}
	b.WriteString(")")
}

func TestReaderAccepts(t *testing.T) {
	tests := map[string]struct{ document, want string }{
		"root alone":             {`<a/>`, `(a)`},
		"open and closed":        {`<a></a>`, `(a)`},
		"declaration":            {`<?xml version="1.0"?><a/>`, `(a)`},
		"full declaration":       {`<?xml version='1.0' encoding='UTF-8' standalone="yes" ?>` + "\n<a/>\n", `(a)`},
		"version 1.1":            {`<?xml version="1.1"?><a/>`, `(a)`},
		"byte order mark":        {"\xEF\xBB\xBF<?xml version=\"1.0\"?><a/>", `(a)`},
		"nested":                 {`<a> <b><c/> x</b> <b/> </a>`, `(a (b (c)) (b))`},
		"white space in tags":    {"<a\n  x = '1'\ty=\"2\" ><b /></a  >", `(a x="1" y="2" (b))`},
		"quotes in quotes":       {`<a x="it's" y='"'/>`, `(a x="it's" y="\"")`},
		"references":             {`<a text="&lt;&amp;&gt;&quot;&apos;&#65;&#x2603;&#xeF;&#xEf;">&lt;&amp;&gt;&quot;&apos;&#65;&#x2603;</a>`, `(a text="<&>\"'A☃ïï" "<&>\"'A☃")`},
		"largest character":      {`<a text="">&#x10FFFF;</a>`, `(a text="" "\U0010ffff")`},
		"white space is kept":    {"<a text=''> \t\n x </a>", `(a text="" " \t\n x ")`},
		"line ends":              {"<a text=''>1\r\n2\r3\n</a>", `(a text="" "1\n2\n3\n")`},
		"escaped line end":       {"<a text=''>1&#13;2</a>", `(a text="" "1\r2")`},
		"space in attributes":    {"<a x='1\n2\t3\r\n4\r5&#10;'/>", `(a x="1 2 3 4 5\n")`},
		"greater than":           {`<a text=">">></a>`, `(a text=">" ">")`},
		"brackets":               {`<a text="]]>">]] > ]</a>`, `(a text="]]>" "]] > ]")`},
		"UTF-8":                  {`<größe text="ö">☃ﻰ</größe>`, `(größe text="ö" "☃ﻰ")`},
		"comments":               {`<!-- a - b --><a><!----><b/><!-- <c> & --></a><!-- x -->`, `(a (b))`},
		"instructions":           {`<?p?><a><?xml-stylesheet x?><b/></a><?p ?>`, `(a (b))`},
		"CDATA":                  {`<a><![CDATA[<b>&]]><c/></a>`, `(a (c))`},
		"text before a comment":  {`<a text="">x<!-- y -->z</a>`, `(a text="" "x")`},
		"text after a comment":   {`<a text=""><!-- y -->z</a>`, `(a text="" "")`},
		"text before CDATA":      {`<a text="">x&amp;<![CDATA[y]]>z&amp;</a>`, `(a text="" "x&")`},
		"CDATA first":            {`<a text=""><![CDATA[y]]>z</a>`, `(a text="" "")`},
		"element first":          {`<a text=""><b>y</b>z</a>`, `(a text="" "")`},
		"text before an element": {`<a text="">x<b>y</b>z</a>`, `(a text="" "x")`},
		"instruction first":      {`<a text=""><?p?>z</a>`, `(a text="" "")`},
		"empty text":             {`<a text=""/>`, `(a text="" "")`},
		"names":                  {`<x:a-1._ _b:c='1'/>`, `(x:a-1._ _b:c="1")`},
		"greatest depth":         {strings.Repeat("<a>", MaxDepth) + strings.Repeat("</a>", MaxDepth), strings.Repeat("(a ", MaxDepth-1) + "(a" + strings.Repeat(")", MaxDepth)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := outline(test.document)
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("read %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestReaderRefuses(t *testing.T) {
	tests := map[string]struct {
		document string
		offset   int
		reason   string
	}{
		"text only":              {`x`, 0, "outside of the root"},
		"text before the root":   {`<?xml version="1.0"?> x<a/>`, 22, "outside of the root"},
		"text after the root":    {`<a/> x`, 5, "outside of the root"},
		"second root":            {`<a/><b/>`, 4, "after the root"},
		"CDATA after the root":   {`<a/><![CDATA[x]]>`, 4, "outside of the root"},
		"reference outside":      {`<a/>&#32;`, 4, "outside of the root"},
		"end tag only":           {`</a>`, 0, "no name"},
		"unclosed root":          {`<a>`, 3, "ends within element <a>"},
		"unclosed text":          {`<a><b>x`, 7, "ends within element <b>"},
		"truncated tag":          {`<a><b`, 3, "<b is not closed"},
		"truncated end tag":      {`<a></a`, 3, "</a is not closed"},
		"truncated attribute":    {`<a x`, 3, "no value"},
		"truncated value":        {`<a x="1`, 5, "not closed"},
		"truncated before value": {`<a x=`, 3, "not quoted"},
		"truncated empty tag":    {`<a/`, 2, "not closed"},
		"wrong end tag":          {`<a><b></a></b>`, 6, "element <b> is closed by </a>"},
		"no name":                {`<a>< b/></a>`, 3, "no name"},
		"bare less than":         {`<a>1 < 2</a>`, 5, "&lt;"},
		"name with a digit":      {`<1a/>`, 0, "no name"},
		"attribute not quoted":   {`<a x=1/>`, 3, "not quoted"},
		"attribute not valued":   {`<a x/>`, 3, "no value"},
		"attributes not spaced":  {`<a x="1"y="2"/>`, 8, "malformed"},
		"attribute name":         {`<a =""/>`, 3, "malformed"},
		"attribute twice":        {`<a x="1" x="2"/>`, 9, "given twice"},
		"less than in attribute": {`<a x="<"/>`, 6, "contains <"},
		"slash in a tag":         {`<a / >`, 3, "not closed"},
		"bare ampersand":         {`<a>a & b</a>`, 5, "&amp;"},
		"bare ampersand value":   {`<a x="a & b"/>`, 8, "&amp;"},
		"unknown entity":         {`<a>&nbsp;</a>`, 3, "&nbsp; is unknown"},
		"empty reference":        {`<a>&;</a>`, 3, "unknown"},
		"empty number":           {`<a>&#;</a>`, 3, "unknown"},
		"empty hexadecimal":      {`<a>&#x;</a>`, 3, "unknown"},
		"upper case X":           {`<a>&#X41;</a>`, 3, "unknown"},
		"signed number":          {`<a>&#-1;</a>`, 3, "unknown"},
		"number too large":       {`<a>&#1114112;</a>`, 3, "unknown"},
		"number overflow":        {`<a>&#99999999999999999999999;</a>`, 3, "unknown"},
		"endless reference":      {`<a>&#` + strings.Repeat("0", 100) + `65;</a>`, 3, "begins no reference"},
		"surrogate":              {`<a>&#xD800;</a>`, 3, "unknown"},
		"referenced NUL":         {`<a>&#0;</a>`, 3, "unknown"},
		"referenced bell":        {`<a x="&#7;"/>`, 6, "unknown"},
		"NUL":                    {"<a>\x00</a>", 3, "U+0000"},
		"bell in an attribute":   {"<a x='\a'/>", 6, "U+0007"},
		"bell in a comment":      {"<a><!-- \a --></a>", 8, "U+0007"},
		"bell in CDATA":          {"<a><![CDATA[\a]]></a>", 12, "U+0007"},
		"U+FFFE":                 {"<a>\uFFFE</a>", 3, "U+FFFE"},
		"U+FFFF":                 {"<a x='\uFFFF'/>", 6, "U+FFFF"},
		"invalid UTF-8":          {"<a>\xff</a>", 3, "UTF-8"},
		"encoded surrogate":      {"<a>\xED\xA0\x80</a>", 3, "UTF-8"},
		"overlong":               {"<a>\xC0\x80</a>", 3, "UTF-8"},
		"UTF-16":                 {"\xFF\xFE<\x00a\x00/\x00>\x00", 0, "UTF-8"},
		"end of CDATA in text":   {`<a>x]]>y</a>`, 4, "]]>"},
		"unclosed comment":       {`<a><!-- </a>`, 3, "comment is not closed"},
		"short comment":          {`<a><!--></a>`, 3, "comment is not closed"},
		"dashes in a comment":    {`<a><!-- -- --></a>`, 14, "contains --"},
		"comment with 3 dashes":  {`<a><!-- ---></a>`, 12, "contains --"},
		"unclosed CDATA":         {`<a><![CDATA[x]></a>`, 3, "CDATA section is not closed"},
		"unclosed instruction":   {`<a><?p ></a>`, 3, "not closed"},
		"unnamed instruction":    {`<a><? ?></a>`, 3, "no valid name"},
		"late declaration":       {` <?xml version="1.0"?><a/>`, 1, "no valid name"},
		"declaration inside":     {`<a><?XML version="1.0"?></a>`, 3, "no valid name"},
		"unclosed declaration":   {`<?xml version="1.0"><a/>`, 0, "declaration is malformed"},
		"no version":             {`<?xml encoding="UTF-8"?><a/>`, 0, "declaration is malformed"},
		"version 2":              {`<?xml version="2.0"?><a/>`, 0, "declaration is malformed"},
		"other encoding":         {`<?xml version="1.0" encoding="ISO-8859-1"?><a/>`, 0, "encoding is ISO-8859-1"},
		"document type":          {`<!DOCTYPE a><a/>`, 0, "document type declarations are not accepted"},
		"entities": {`<?xml version="1.0"?><!DOCTYPE a [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;">]><a>&lol2;</a>`,
			21, "document type declarations are not accepted"},
		"external entity":        {`<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`, 0, "document type declarations are not accepted"},
		"declaration in content": {`<a><!ELEMENT b></a>`, 3, "unknown"},
		"too deep":               {strings.Repeat("<a>", 1_000_000), 3 * MaxDepth, "more than 256 deep"},
		"too many attributes":    {"<a" + manyAttributes(maxAttributes+1) + "/>", len("<a"+manyAttributes(maxAttributes)) + 1, "more than 256 attributes"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := outline(test.document)
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("error %v, want a SyntaxError", err)
			}
			if !strings.Contains(syntax.Reason, test.reason) || syntax.Offset != test.offset {
				t.Errorf("%q at %d, want %q at %d", syntax.Reason, syntax.Offset, test.reason, test.offset)
			}
		})
	}
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ` a%d=""`, i)
	}
	return b.String()
}

func TestReaderEmptyDocument(t *testing.T) {
	for _, document := range []string{"", " \n", `<?xml version="1.0"?>`, "<!-- nothing -->", "\xEF\xBB\xBF"} {
		if _, err := outline(document); !errors.Is(err, ErrEmpty) {
			t.Errorf("%q: error %v, want ErrEmpty", document, err)
		}
	}
}

func TestReaderTextIsNotChangedByWhatFollows(t *testing.T) {
	r := NewReader([]byte(`<a><b>x&amp;y<!-- --> &lt;&lt;&lt;<c>&gt;</c>&#65;</b></a>`))
	if !r.Root() || !r.Child() {
		t.Fatal(r.Finish())
	}
	if got := string(r.Text()); got != "x&y" {
		t.Errorf("text %q", got)
	}
}

// FuzzReader holds the reader against encoding/xml: what it accepts, that must
// accept, too, and find the same elements. (Not the other way round, as
// encoding/xml accepts more.)
func FuzzReader(f *testing.F) {
	for _, seed := range []string{
		`<?xml version="1.0" encoding="utf-8"?><a x="1&amp;"><b>x&#65;]]</b><!-- c --><![CDATA[<]]></a>`,
		"<a>\r\n\t&lt;</a>", `<!DOCTYPE a><a/>`, `<a x='1' x='2'/>`, `<a><b></a></b>`, "<a>\xff</a>", `<a/><b/>`, `</a>`, `<a`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, document string) {
		r := NewReader([]byte(document))
		var names []string
		if r.Root() {
			names = elementNames(r, nil)
		}
		if r.Finish() != nil {
			return
		}
		var want []string
		d := xml.NewDecoder(strings.NewReader(document))
		d.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil }
		for {
			token, err := d.RawToken()
			if err == io.EOF {
				break
			}
			if err != nil {
				// It is stricter about names beyond ASCII, and about the
				// colon.
				if !isASCII(document) || strings.Contains(document, ":") || strings.Contains(err.Error(), "unsupported version") {
					return
				}
				t.Fatalf("accepted %q, which encoding/xml does not: %v", document, err)
			}
			if start, ok := token.(xml.StartElement); ok {
				want = append(want, strings.TrimPrefix(start.Name.Space+":"+start.Name.Local, ":"))
			}
		}
		if strings.Contains(document, ":") {
			return
		}
		if strings.Join(names, " ") != strings.Join(want, " ") {
			t.Fatalf("elements of %q: %q, want %q", document, names, want)
		}
	})
}

func elementNames(r *Reader, names []string) []string {
	names = append(names, string(r.Name()))
	for r.Child() {
		names = elementNames(r, names)
	}
	return names
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool { return c >= 0x80 }) < 0
}
