package io.github.phpsessionchat;

import okhttp3.HttpUrl;
import okhttp3.Request;
import org.jspecify.annotations.Nullable;

/** Builds requests for uploads and downloads, with the user's session. */
final class FileAddresses {
  private final HttpUrl server;
  /** The origin that a browser would send. The server rejects uploads that have only a cookie. */
  private final String origin;
  private final @Nullable SessionId session;

  /**
   * @param origin null: the origin of the server
   * @param session null: the server identifies the user by cookie
   */
  FileAddresses(HttpUrl server, @Nullable String origin, @Nullable SessionId session) {
    this.server = server;
    this.origin = origin == null ? originOf(server) : origin;
    this.session = session;
  }

  Request.Builder upload(String room, String name) {
    HttpUrl url = files().addQueryParameter("room", room).addQueryParameter("name", name).build();
    String id = sessionId();
    return id == null ? new Request.Builder().url(url).header("Origin", origin) : request(url, id);
  }

  Request download(ChatFile file, boolean preview) {
    HttpUrl.Builder url = files().addPathSegment(file.id).addPathSegment(isSegment(file.name) ? file.name : "file");
    if (preview) url.addQueryParameter("size", "preview");
    return request(url.build(), sessionId()).build();
  }

  private HttpUrl.Builder files() {
    String below = server.encodedPath().replaceAll("/$", "");
    return server.newBuilder().encodedPath(below + "/files").query(null).fragment(null);
  }

  private static Request.Builder request(HttpUrl url, @Nullable String id) {
    Request.Builder request = new Request.Builder().url(url);
    return id == null ? request : request.header("Authorization", "Session " + id);
  }

  /** The session ID, or null if it is missing or not valid in a header. PHP creates no such ID. */
  private @Nullable String sessionId() {
    String id = session == null ? null : session.current();
    return id != null && id.matches("[!-~]+") ? id : null;
  }

  /** In a URL, these names would be resolved as path steps. */
  private static boolean isSegment(String name) {
    return !name.isEmpty() && !name.equals(".") && !name.equals("..");
  }

  /** The origin as a browser writes it. */
  static String originOf(HttpUrl url) {
    String root = url.newBuilder().username("").password("").encodedPath("/").query(null).fragment(null).toString();
    return root.substring(0, root.length() - 1);
  }
}
