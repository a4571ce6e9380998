import Foundation
import Logging
import NIOSSL
import Primitives
import Synchronization

/// A server's certificate and key, and the authorities of its clients, from PEM files. Changed files are reloaded,
/// and new connections use them.
///
/// Our own rather than NIOCertificateReloading of swift-nio-extras, which replaces a context's certificate and key at each
/// handshake: the clients' authorities have no place in it, so the context must be made anew all the same, and it does not
/// judge who else can read the key.
public final class TLSIdentity: Sendable {
  /// The reason why the files cannot be used, in one line that names the file.
  public struct Failure: Error, CustomStringConvertible {
    public let description: String
  }

  /// The paths of the files.
  public struct Files: Hashable, Sendable {
    /// The server's certificate chain in PEM, the server's own certificate first.
    public var certificate: String
    /// The certificate's private key in PEM. The file must be private to its owner, or also readable by a group of
    /// this process.
    public var key: String
    /// The authorities in PEM that may sign clients' certificates; nil if clients need no certificate.
    public var clientAuthorities: String?

    /// Creates a description of the files at these paths.
    public init(certificate: String, key: String, clientAuthorities: String? = nil) {
      self.certificate = certificate
      self.key = key
      self.clientAuthorities = clientAuthorities
    }
  }

  /// The contents of the files, and the key file's permissions.
  private struct Contents: Equatable {
    let certificate: Data
    let key: PrivateFile
    let clientAuthorities: Data?
  }

  private let files: Files
  private let current: Mutex<(context: NIOSSLContext, contents: Contents)>

  /// Loads the identity from `files`.
  ///
  /// - Throws: `Failure` if a file cannot be read or is not PEM, others can read the key, or the key does not match
  ///   the certificate.
  public init(_ files: Files) throws(Failure) {
    self.files = files
    let contents = try Self.read(files)
    current = Mutex((try Self.context(files, contents), contents))
  }

  /// The TLS context for new connections.
  var context: NIOSSLContext { current.withLock { $0.context } }

  /// Reloads the files if they have changed.
  ///
  /// - Returns: whether they have changed.
  /// - Throws: `Failure` if they cannot be used; the previous ones then stay in use.
  @discardableResult
  public func reload() throws(Failure) -> Bool {
    let contents = try Self.read(files)
    guard contents != current.withLock({ $0.contents }) else { return false }
    let context = try Self.context(files, contents)
    current.withLock { $0 = (context, contents) }
    return true
  }

  /// Looks for changes every 10 seconds. Logs them, and each problem once.
  func reloadUntilCancelled(_ logger: Logger) async {
    var problem = CurrentProblem<String>()
    await Polling(every: .seconds(10)).run {
      do throws(Failure) {
        if try reload() {
          logger.notice("TLS certificate reloaded", metadata: ["file": "\(files.certificate)"])
        }
        problem.changes(to: nil)
      } catch {
        if problem.changes(to: error.description) {
          logger.error("TLS certificate not reloaded", metadata: ["reason": "\(error)"])
        }
      }
    }
  }

  private static func read(_ files: Files) throws(Failure) -> Contents {
    Contents(
      certificate: try read(files.certificate), key: try readPrivate(files.key),
      clientAuthorities: try files.clientAuthorities.map(read))
  }

  private static func read(_ path: String) throws(Failure) -> Data {
    do {
      return try Data(contentsOf: URL(fileURLWithPath: path))
    } catch {
      throw Failure(description: "\(path): \(BindFailure.words(for: error))")
    }
  }

  private static func readPrivate(_ path: String) throws(Failure) -> PrivateFile {
    do {
      return try PrivateFile(path: path)
    } catch {
      throw Failure(description: error.description)
    }
  }

  /// The TLS 1.2 suites with forward secrecy and AEAD, none of which HTTP/2 prohibits (RFC 9113 §9.2.2, RFC 9325
  /// §4.2). All suites of TLS 1.3 have both.
  private static let suites: [NIOTLSCipher] = [
    .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, .TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, .TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, .TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
  ]

  private static func context(_ files: Files, _ contents: Contents) throws(Failure) -> NIOSSLContext {
    let chain = try certificates(files.certificate, contents.certificate)
    let key: NIOSSLPrivateKey
    do {
      key = try NIOSSLPrivateKey(bytes: Array(contents.key.contents), format: .pem)
    } catch {
      throw Failure(description: "\(files.key): not a private key in PEM, or protected by a passphrase")
    }
    // Checked after parsing, because a file with other contents is the wrong file.
    if let exposure = contents.key.exposure { throw Failure(description: "\(files.key): \(exposure)") }
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
    configuration.minimumTLSVersion = .tlsv12
    configuration.cipherSuiteValues = suites
    configuration.applicationProtocols = ["h2"]
    if let authorities = files.clientAuthorities, let pem = contents.clientAuthorities {
      configuration.trustRoots = .certificates(try certificates(authorities, pem))
      // The client's certificate is required and verified, but a server has no host name to compare it with.
      configuration.certificateVerification = .noHostnameVerification
    }
    do {
      return try NIOSSLContext(configuration: configuration)
    } catch {
      throw Failure(description: "\(files.key) is not the key of the certificate in \(files.certificate)")
    }
  }

  private static func certificates(_ path: String, _ contents: Data) throws(Failure) -> [NIOSSLCertificate] {
    // An empty list and an error have the same meaning for the operator.
    guard let chain = try? NIOSSLCertificate.fromPEMBytes(Array(contents)), !chain.isEmpty else {
      throw Failure(description: "\(path): not a certificate in PEM")
    }
    return chain
  }
}
