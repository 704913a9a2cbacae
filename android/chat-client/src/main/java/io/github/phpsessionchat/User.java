package io.github.phpsessionchat;

/** Somebody, as others see them. */
public final class User {
  /** The id of all users whom the site has erased; an app says in its own language who that is. */
  public static final String ERASED = "0";

  /** The user id of the site: 1 to 64 characters. */
  public final String id;
  /** At most 64 characters; the id, where the site tells no name. */
  public final String name;

  /**
   * @param id the user id of the site
   * @param name what others read
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
