package shell

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"

	"github.com/mattn/go-runewidth"
)

// grid is a page of formatted cells with the colour of each column.
type grid struct {
	names  []string
	colors []string
	rows   [][]string
	color  bool
}

// Terminal colours by kind of value, after cqlsh's.
const (
	colorName   = "\x1b[1;35m"
	colorText   = "\x1b[0;33m"
	colorNumber = "\x1b[0;32m"
	colorBlob   = "\x1b[1;33m"
	colorSet    = "\x1b[0;34m"
	colorNull   = "\x1b[1;31m"
	colorError  = "\x1b[0;1;31m"
	colorReset  = "\x1b[0m"
)

func newGrid(res *Result, color bool) *grid {
	g := &grid{color: color}
	for i := range res.Columns {
		c := &res.Columns[i]
		g.names = append(g.names, textValue(c.Name, false))
		g.colors = append(g.colors, kindColor(c.Type.Kind))
	}
	for _, row := range res.Rows {
		cells := make([]string, len(row))
		for i, raw := range row {
			cells[i] = valueText(&res.Columns[i].Type, raw)
		}
		g.rows = append(g.rows, cells)
	}
	return g
}

func kindColor(k Kind) string {
	switch {
	case k == KindText || k == KindASCII:
		return colorText
	case k == KindBlob || k == KindCustom:
		return colorBlob
	case k >= KindList:
		return colorSet
	}
	return colorNumber
}

func (g *grid) paint(s, color string) string {
	if !g.color {
		return s
	}
	return color + s + colorReset
}

func (g *grid) cell(col int, s string) string {
	if s == "null" {
		return g.paint(s, colorNull)
	}
	return g.paint(s, g.colors[col])
}

func pad(s string) int { return runewidth.StringWidth(s) }

func spaces(n int) string { return strings.Repeat(" ", max(n, 0)) }

// writeTable prints the rows with names on the left and values on the right of their columns, as cqlsh does.
func (g *grid) writeTable(w io.Writer, header bool) {
	widths := make([]int, len(g.names))
	for i, n := range g.names {
		widths[i] = pad(n)
	}
	for _, row := range g.rows {
		for i, s := range row {
			widths[i] = max(widths[i], pad(s))
		}
	}
	if header {
		var names, rule strings.Builder
		for i, n := range g.names {
			if i > 0 {
				names.WriteString(" | ")
				rule.WriteString("-+-")
			}
			names.WriteString(g.paint(n, colorName))
			if i < len(g.names)-1 {
				names.WriteString(spaces(widths[i] - pad(n)))
			}
			rule.WriteString(strings.Repeat("-", widths[i]))
		}
		fmt.Fprintf(w, " %s\n-%s-\n", names.String(), rule.String())
	}
	var line strings.Builder
	for _, row := range g.rows {
		line.Reset()
		for i, s := range row {
			if i > 0 {
				line.WriteString(" | ")
			}
			line.WriteString(spaces(widths[i] - pad(s)))
			line.WriteString(g.cell(i, s))
		}
		fmt.Fprintf(w, " %s\n", line.String())
	}
}

// writeVertical prints each row as a list of names and values; first is the number of rows printed before.
func (g *grid) writeVertical(w io.Writer, first int) {
	nameWidth, valueWidth := 0, 0
	for _, n := range g.names {
		nameWidth = max(nameWidth, pad(n))
	}
	for _, row := range g.rows {
		for _, s := range row {
			valueWidth = max(valueWidth, pad(s))
		}
	}
	for r, row := range g.rows {
		fmt.Fprintf(w, "@ Row %d\n-%s-+-%s-\n", first+r+1, strings.Repeat("-", nameWidth), strings.Repeat("-", valueWidth))
		for i, s := range row {
			n := g.names[i]
			fmt.Fprintf(w, " %s%s | %s\n", g.paint(n, colorName), spaces(nameWidth-pad(n)), g.cell(i, s))
		}
		fmt.Fprintln(w)
	}
}

// writeCSV prints the page as RFC 4180 says; null is the empty field.
func writeCSV(w io.Writer, res *Result, header bool) error {
	cw := csv.NewWriter(w)
	fields := make([]string, len(res.Columns))
	if header {
		for i, c := range res.Columns {
			fields[i] = c.Name
		}
		if err := cw.Write(fields); err != nil {
			return err
		}
	}
	for _, row := range res.Rows {
		for i, raw := range row {
			switch t := &res.Columns[i].Type; {
			case raw == nil:
				fields[i] = ""
			case t.Kind == KindText || t.Kind == KindASCII:
				fields[i] = string(raw)
			default:
				fields[i] = valueText(t, raw)
			}
		}
		if err := cw.Write(fields); err != nil {
			return err
		}
	}
	cw.Flush()
	return cw.Error()
}

// displayWidth is what columnize fills, as in cqlsh whatever the terminal.
const displayWidth = 80

// columnize prints names in columns, down first, as few lines as fit.
func columnize(w io.Writer, names []string) {
	if len(names) == 0 {
		fmt.Fprintln(w, "<empty>")
		return
	}
	rows, widths := 1, []int(nil)
	for ; rows < len(names); rows++ {
		total := -2
		widths = widths[:0]
		for from := 0; from < len(names); from += rows {
			col := 0
			for _, n := range names[from:min(from+rows, len(names))] {
				col = max(col, pad(n))
			}
			widths = append(widths, col)
			total += col + 2
		}
		if total <= displayWidth {
			break
		}
	}
	if rows == len(names) {
		widths = []int{0}
	}
	for r := range rows {
		var line strings.Builder
		for c, width := range widths {
			if i := c*rows + r; i < len(names) {
				if c > 0 {
					line.WriteString("  ")
				}
				line.WriteString(names[i] + spaces(width-pad(names[i])))
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}
