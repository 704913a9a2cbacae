package io.github.phpsessionchat;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the site tells this user about a reference such as {@code order:4711}. Other users may get another card, or
 * none. Mark it as the site's words, and show its texts as plain text.
 */
public final class Card {
  /** A button, for {@link Chat#pressCard}. */
  public static final class Button {
    /** The ID, which the site chose. */
    public final String id;
    /** The label. */
    public final String label;

    Button(String id, String label) {
      this.id = id;
      this.label = label;
    }

    @Override
    public String toString() {
      return "button " + id;
    }
  }

  /** The reference, for {@link NewMessage#card}. */
  public final String about;
  /** The title. */
  public final String title;
  /** The text, which may have several lines, or null. */
  public final @Nullable String text;
  /** The state, such as “shipped”, or null. */
  public final @Nullable String state;
  /** A picture, as a path on the site, or null. */
  public final @Nullable String image;
  /** The page of the subject, as a path on the site, or null. */
  public final @Nullable String url;
  /** Up to three buttons. Unmodifiable. */
  public final List<Button> buttons;

  Card(
      String about,
      String title,
      @Nullable String text,
      @Nullable String state,
      @Nullable String image,
      @Nullable String url,
      List<Button> buttons) {
    this.about = about;
    this.title = title;
    this.text = text;
    this.state = state;
    this.image = image;
    this.url = url;
    this.buttons = buttons;
  }

  @Override
  public String toString() {
    return "card of " + about;
  }
}
