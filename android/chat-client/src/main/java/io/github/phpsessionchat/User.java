package io.github.phpsessionchat;

/** A user as others see them. */
public final class User {
  /** The shared ID of all users erased by the site. The app provides the name in its own language. */
  public static final String ERASED = "0";

  /** The user ID of the site: 1 to 64 characters. */
  public final String id;
  /** At most 64 characters; the ID if the name is unknown. */
  public final String name;

  /**
   * Creates a user.
   *
   * @param id the user ID of the site
   * @param name the display name
   */
  public User(String id, String name) {
    this.id = id;
    this.name = name;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof User && ((User) other).id.equals(id) && ((User) other).name.equals(name);
  }

  @Override
  public int hashCode() {
    return id.hashCode();
  }

  @Override
  public String toString() {
    return name;
  }
}
