package io.github.phpsessionchat;

import okhttp3.HttpUrl;
import okhttp3.Request;
import org.jspecify.annotations.Nullable;

/** Builds requests for uploads and downloads, with the user's session. */
final class FileAddresses {
  /** Identifies the user instead of a cookie. */
  interface Credentials {
    /** Returns the session ID or ticket, or null. Can be called on any thread. */
    @Nullable String current();
  }

  private final HttpUrl server;
  /** The origin that a browser would send. The server rejects uploads with a cookie but no origin. */
  private final String origin;
  /** The scheme of the {@code Authorization} header: {@code Session} or {@code Ticket}. */
  private final String scheme;
  private final @Nullable Credentials credentials;
  /** The {@code access} of downloads for guests. */
  private final @Nullable Credentials access;

  /**
   * @param origin null: the origin of the server
   * @param credentials null: the server identifies the user by cookie
   * @param access for guests; its value is null for users with a login
   */
  FileAddresses(
      HttpUrl server,
      @Nullable String origin,
      String scheme,
      @Nullable Credentials credentials,
      @Nullable Credentials access) {
    this.server = server;
    this.origin = origin == null ? originOf(server) : origin;
    this.scheme = scheme;
    this.credentials = credentials;
    this.access = access;
  }

  Request.Builder upload(String room, NewFile file) {
    HttpUrl.Builder address = files().addQueryParameter("room", room).addQueryParameter("name", file.name);
    if (file.peaks != null) address.addQueryParameter("peaks", file.peaks);
    if (file.isRoomPicture) address.addQueryParameter("use", "picture");
    HttpUrl url = address.build();
    String login = authorization();
    return login == null ? new Request.Builder().url(url).header("Origin", origin) : request(url, login);
  }

  Request download(ChatFile file, boolean preview) {
    HttpUrl.Builder url = files().addPathSegment(file.id).addPathSegment(isSegment(file.name) ? file.name : "file");
    if (preview) url.addQueryParameter("size", "preview");
    String token = access == null ? null : access.current();
    if (token != null) url.addQueryParameter("access", token);
    return request(url.build(), authorization()).build();
  }

  private HttpUrl.Builder files() {
    String below = server.encodedPath().replaceAll("/$", "");
    return server.newBuilder().encodedPath(below + "/files").query(null).fragment(null);
  }

  private static Request.Builder request(HttpUrl url, @Nullable String authorization) {
    Request.Builder request = new Request.Builder().url(url);
    return authorization == null ? request : request.header("Authorization", authorization);
  }

  /** Returns null if the credentials are missing or not valid in a header. Sites create no such IDs and tickets. */
  private @Nullable String authorization() {
    String value = credentials == null ? null : credentials.current();
    return value != null && value.matches("[!-~]+") ? scheme + " " + value : null;
  }

  /** In a URL, {@code .} and {@code ..} would be resolved as path steps. */
  private static boolean isSegment(String name) {
    return !name.isEmpty() && !name.equals(".") && !name.equals("..");
  }

  /** The origin as a browser writes it. */
  static String originOf(HttpUrl url) {
    String root = url.newBuilder().username("").password("").encodedPath("/").query(null).fragment(null).toString();
    return root.substring(0, root.length() - 1);
  }
}
