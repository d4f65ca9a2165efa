package main

import (
	"context"

	"github.com/goccy/go-graphviz"
	"github.com/goccy/go-graphviz/gvc"
)

// plugins returns what Graphviz draws with: its own output as SVG, and PNG by a
// renderer in Go.
func plugins(ctx context.Context) ([]graphviz.Plugin, error) {
	device, err := gvc.PNGDevicePlugin(ctx)
	if err != nil {
		return nil, err
	}
	renderer, err := gvc.NewRenderPlugin(ctx, "png", &lines{ImageRenderer: &gvc.ImageRenderer{DefaultRenderEngine: new(gvc.DefaultRenderEngine)}})
	if err != nil {
		return nil, err
	}
	return []graphviz.Plugin{device, renderer}, nil
}

// lines is the library's renderer for PNG. By itself it leaves out the lines:
// it finds that all of them have the width 0, that all shapes are to be filled,
// and that those have no outline.
type lines struct {
	*gvc.ImageRenderer
	centre [2]float64 // of the ellipse that was drawn last
}

// lineWidth is what Graphviz draws with, unless told otherwise, in points.
const lineWidth = 1

func (l *lines) Ellipse(ctx context.Context, job *gvc.Job, p []*gvc.PointFloat, filled bool) error {
	// What is drawn around an ellipse is only its second outline, and must not
	// hide it.
	centre := [2]float64{p[0].X(), p[0].Y()}
	filled = filled && centre != l.centre
	l.centre = centre
	return stroke(job, filled, func(filled bool) error { return l.ImageRenderer.Ellipse(ctx, job, p, filled) })
}

func (l *lines) Polygon(ctx context.Context, job *gvc.Job, p []*gvc.PointFloat, filled bool) error {
	return stroke(job, filled, func(filled bool) error { return l.ImageRenderer.Polygon(ctx, job, p, filled) })
}

func (l *lines) BezierCurve(ctx context.Context, job *gvc.Job, p []*gvc.PointFloat, filled bool) error {
	return stroke(job, filled, func(filled bool) error { return l.ImageRenderer.BezierCurve(ctx, job, p, filled) })
}

func (l *lines) Polyline(ctx context.Context, job *gvc.Job, p []*gvc.PointFloat) error {
	return stroke(job, false, func(bool) error { return l.ImageRenderer.Polyline(ctx, job, p) })
}

// stroke fills a shape, if it is to be filled, and draws its outline.
func stroke(job *gvc.Job, filled bool, draw func(filled bool) error) error {
	job.Object().SetPenWidth(lineWidth)
	if filled {
		if err := draw(true); err != nil {
			return err
		}
	}
	return draw(false)
}
