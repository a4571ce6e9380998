import Foundation

/// Plots the points of a ``ScaleBenchmark``: a panel per axis, a line per operation, both scales logarithmic.
struct ScalePlot {
  let points: [ScaleBenchmark.Point]

  private static let panel = (width: 300.0, height: 320.0)
  private static let margin = (left: 60.0, top: 50.0, gap: 60.0, bottom: 90.0)
  /// The colours of Okabe and Ito, which most people can tell apart.
  private static let colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7"]

  /// The operations, in the order of measurement.
  private var operations: [String] {
    points.reduce(into: []) { names, point in
      if !names.contains(point.operation) { names.append(point.operation) }
    }
  }

  /// The plot in SVG 1.1.
  var svg: String {
    let axes = ScaleBenchmark.Axis.allCases
    let width = Self.margin.left + Double(axes.count) * (Self.panel.width + Self.margin.gap)
    let height = Self.margin.top + Self.panel.height + Self.margin.bottom
    var text = """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Self.number(width)) \(Self.number(height))" \
      font-family="sans-serif" font-size="12">
      <rect width="100%" height="100%" fill="white"/>
      <text x="\(Self.margin.left)" y="24" font-size="15">CPU of the server for one call, or one user of it, in µs</text>

      """
    for (index, axis) in axes.enumerated() {
      let left = Self.margin.left + Double(index) * (Self.panel.width + Self.margin.gap)
      text += panel(axis, left: left)
    }
    for (index, name) in operations.enumerated() {
      let left = Self.margin.left + Double(index) * 210
      text += """
        <rect x="\(left)" y="\(Self.number(height - 24))" width="14" height="4" fill="\(Self.colours[index % 4])"/>
        <text x="\(left + 20)" y="\(Self.number(height - 18))">\(name)</text>

        """
    }
    return text + "</svg>\n"
  }

  private func panel(_ axis: ScaleBenchmark.Axis, left: Double) -> String {
    let points = points.filter { $0.axis == axis }
    let values = Set(points.map(\.value)).sorted()
    guard let first = values.first, let last = values.last else { return "" }
    let bottom = Self.margin.top + Self.panel.height
    func x(_ value: Int) -> Double {
      let share = log10(Double(value) / Double(first)) / max(log10(Double(last) / Double(first)), 1e-9)
      return left + 10 + share * (Self.panel.width - 20)
    }
    func y(_ cost: Double) -> Double {
      let (low, high) = range
      return bottom - log10(cost / low) / log10(high / low) * Self.panel.height
    }
    var text = grid(y, from: left)
    for value in values {
      text += """
        <text x="\(Self.number(x(value)))" y="\(Self.number(bottom + 18))" text-anchor="middle">\
        \(Self.short(value))</text>

        """
    }
    text += """
      <text x="\(Self.number(left + Self.panel.width / 2))" y="\(Self.number(bottom + 38))" text-anchor="middle">\
      \(axis.rawValue)</text>

      """
    for (index, name) in operations.enumerated() {
      let line = points.filter { $0.operation == name }
      let places = line.map { "\(Self.number(x($0.value))),\(Self.number(y($0.microseconds)))" }
      guard !places.isEmpty else { continue }
      let colour = Self.colours[index % 4]
      text +=
        "<polyline fill=\"none\" stroke=\"\(colour)\" stroke-width=\"2\" points=\"\(places.joined(separator: " "))\"/>\n"
      for point in line {
        text += """
          <circle cx="\(Self.number(x(point.value)))" cy="\(Self.number(y(point.microseconds)))" r="3" fill="\(colour)"/>
          <text x="\(Self.number(x(point.value)))" y="\(Self.number(y(point.microseconds) - 7))" text-anchor="middle" \
          font-size="10">\(String(format: point.microseconds < 10 ? "%.2f" : "%.0f", point.microseconds))</text>

          """
      }
    }
    return text
  }

  /// The powers of ten around all costs.
  private var range: (Double, Double) {
    let costs = points.map(\.microseconds).filter { $0 > 0 }
    let low = pow(10, floor(log10(costs.min() ?? 1)))
    return (low, max(pow(10, ceil(log10(costs.max() ?? 10))), low * 10))
  }

  private func grid(_ y: (Double) -> Double, from left: Double) -> String {
    var text = ""
    var cost = range.0
    while cost <= range.1 * 1.01 {
      text += """
        <line x1="\(left)" x2="\(left + Self.panel.width)" y1="\(Self.number(y(cost)))" y2="\(Self.number(y(cost)))" \
        stroke="#ddd"/>
        <text x="\(left - 6)" y="\(Self.number(y(cost) + 4))" text-anchor="end">\(Self.plain(cost))</text>

        """
      cost *= 10
    }
    return text
  }

  private static func number(_ value: Double) -> String { String(format: "%.1f", value) }

  private static func plain(_ value: Double) -> String { String(format: "%g", value) }

  /// Returns `10 k`, `1 M`.
  private static func short(_ value: Int) -> String {
    switch value {
    case ..<1_000: "\(value)"
    case ..<1_000_000: "\(value / 1_000) k"
    default: "\(value / 1_000_000) M"
    }
  }
}
