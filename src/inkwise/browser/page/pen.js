// The pen: from a pointer's positions to smooth strokes of varying width.
//
// Lengths are fractions of the sheet's width, so that a drawing is the same on any screen.

const WIDTH = 0.075; // about the stroke width of MNIST, if a digit is two thirds of the sheet high
const FOLLOW = 0.65; // fraction of the way to the pointer at each event: it smooths the stroke
const NEAR = 0.0015;
const FINE = 0.008;

const target = (pressure, speed) =>
  pressure === null
    ? WIDTH * Math.min(1.12, Math.max(0.72, 1.12 - 0.14 * speed)) // the faster, the thinner
    : WIDTH * (0.45 + 1.1 * pressure);

export class Stroke {
  constructor(x, y, pressure, time) {
    this.points = [{ x, y, width: 0.8 * target(pressure, 0) }];
    this.tip = { x, y, time };
  }

  // Add the pointer's next position and its pressure, which is null if the device has none.
  add(x, y, pressure, time) {
    const last = this.points.at(-1);
    const speed = Math.hypot(x - this.tip.x, y - this.tip.y) / Math.max(1, time - this.tip.time);
    this.tip = { x, y, time };
    const next = {
      x: last.x + (x - last.x) * FOLLOW,
      y: last.y + (y - last.y) * FOLLOW,
      width: last.width + (target(pressure, 1000 * speed) - last.width) * 0.2,
    };
    if (Math.hypot(next.x - last.x, next.y - last.y) > NEAR) this.points.push(next);
  }

  // End the stroke at the pointer's last position.
  end() {
    this.points.push({ ...this.points.at(-1), x: this.tip.x, y: this.tip.y });
    this.ended = true;
  }
}

const middle = (a, b) => ({
  x: (a.x + b.x) / 2,
  y: (a.y + b.y) / 2,
  width: (a.width + b.width) / 2,
});

// Draw a stroke, or the part that was added since it had `from` points.
export const paint = (context, { points, ended }, from = 1) => {
  context.lineCap = "round";
  // Draw a quadratic curve as short lines whose width changes gradually.
  const draw = (start, control, end) => {
    const length = Math.hypot(control.x - start.x, control.y - start.y) +
      Math.hypot(end.x - control.x, end.y - control.y);
    const parts = Math.ceil(length / FINE);
    let [x, y] = [start.x, start.y];
    for (let i = 1; i <= parts; i += 1) {
      const t = i / parts;
      const [a, b, c] = [(1 - t) ** 2, 2 * t * (1 - t), t ** 2];
      context.lineWidth = start.width + (end.width - start.width) * t;
      context.beginPath();
      context.moveTo(x, y);
      x = a * start.x + b * control.x + c * end.x;
      y = a * start.y + b * control.y + c * end.y;
      context.lineTo(x, y);
      context.stroke();
    }
  };
  if (from <= 1) {
    // Some browsers do not draw a line of length 0, so a dot is a filled circle.
    context.beginPath();
    context.arc(points[0].x, points[0].y, points[0].width / 2, 0, 2 * Math.PI);
    context.fill();
  }
  for (let i = Math.max(1, from); i < points.length; i += 1) {
    const [before, after] = [points[i - 1], points[i]];
    const start = i === 1 ? before : middle(points[i - 2], before);
    draw(start, before, middle(before, after));
  }
  if (ended) {
    const last = points.at(-1);
    draw(middle(points.at(-2), last), last, last);
  }
};

// Draw all strokes; `width` is the sheet's width in pixels of the context.
export const paintAll = (context, strokes, width, colour) => {
  context.setTransform(width, 0, 0, width, 0, 0);
  context.strokeStyle = colour;
  context.fillStyle = colour;
  for (const stroke of strokes) paint(context, stroke);
};

// Call `begin`, `move` and `end` with every stroke that a pointer draws on an element.
export const follow = (element, { begin, move, end }) => {
  let stroke = null;
  let pointer = null;
  const read = (event) => {
    const box = element.getBoundingClientRect();
    const pressure = event.pointerType === "pen" ? event.pressure : null;
    const [x, y] = [event.clientX - box.left, event.clientY - box.top].map((v) => v / box.width);
    return [x, y, pressure, event.timeStamp];
  };
  element.addEventListener("pointerdown", (event) => {
    if (stroke || event.button !== 0) return; // a second finger, or the palm beside the pen
    event.preventDefault();
    pointer = event.pointerId;
    element.setPointerCapture(pointer);
    stroke = new Stroke(...read(event));
    begin(stroke);
  });
  element.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    const from = stroke.points.length;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) stroke.add(...read(each));
    move(stroke, from);
  });
  const finish = (event) => {
    if (event.pointerId !== pointer) return;
    const ended = stroke;
    [stroke, pointer] = [null, null];
    ended.end();
    end(ended);
  };
  element.addEventListener("pointerup", finish);
  element.addEventListener("pointercancel", finish);
  element.addEventListener("lostpointercapture", finish);
};
