import Foundation

/// The program's own code, as the kernel has mapped it.
enum ProgramMemory {
  /// Gives back the pages of code that the process has run so far. Most of them only its start has needed: reading
  /// settings, opening the database, registering types. What is run again the kernel maps again, out of its cache; what
  /// is not no longer counts as resident.
  ///
  /// Safe at any time: the program does not write to its code (madvise(2), MADV_DONTNEED). Does nothing without /proc.
  static func releaseCode() {
    #if os(Linux)
      guard let maps = try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8),
        let program = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
      else { return }  // No /proc.
      for line in maps.split(separator: "\n") where line.hasSuffix(" " + program) {
        // Address range, permissions, offset, device, inode, path (proc(5)).
        let fields = line.split(separator: " ", maxSplits: 2)
        let bounds = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
        guard fields.count == 3, fields[1] == "r-xp", bounds.count == 2 else { continue }
        // A failure, of which none is known for a range that is mapped, leaves things as they are.
        madvise(UnsafeMutableRawPointer(bitPattern: bounds[0]), Int(bounds[1] - bounds[0]), MADV_DONTNEED)
      }
    #endif
  }
}
