package io.github.phpsessionchat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The links and formats of a text, as docs/text.md defines them. The server and the browser find the same, and the
 * server previews and lists the links that clients show.
 */
public final class MessageText {
  /** A web page or a mail address. */
  public static final class Link {
    /** The address to open: {@code https:}, {@code http:} or {@code mailto:}. */
    public final String href;
    /** The host as a browser requests it, with its port, or the mail address. */
    public final String host;
    /** The address as its author typed it. */
    public final String text;
    /** The address to show. If its host looks like another one, the host is in ASCII ({@code xn--…}). */
    public final String shown;

    Link(String href, String host, String text, String shown) {
      this.href = href;
      this.host = host;
      this.text = text;
      this.shown = shown;
    }

    /**
     * Returns whether it is a web page.
     *
     * @return whether it is a web page, not a mail address
     */
    public boolean isPage() {
      return !href.startsWith("mailto:");
    }

    @Override
    public String toString() {
      return isPage() ? "page" : "mail address";
    }
  }

  /** A part of a line. */
  public static final class Piece {
    /** What a piece is. */
    public enum Kind {
      /** Text. */
      TEXT,
      /** A link. */
      LINK,
      /** Code, as it was written. */
      CODE,
      /** A bold part, which has pieces. */
      BOLD,
      /** An italic part, which has pieces. */
      ITALIC
    }

    /** What it is. */
    public final Kind kind;
    /** The text to show; empty for bold and italic parts. */
    public final String text;
    /** The link; null for other kinds. */
    public final @Nullable Link link;
    /** The pieces of a bold or italic part; empty for other kinds. Unmodifiable. */
    public final List<Piece> pieces;

    private Piece(Kind kind, String text, @Nullable Link link, List<Piece> pieces) {
      this.kind = kind;
      this.text = text;
      this.link = link;
      this.pieces = Collections.unmodifiableList(pieces);
    }

    private static List<Piece> withNames(List<Piece> pieces, NamedText named) {
      List<Piece> all = new ArrayList<>();
      for (Piece piece : pieces) {
        Link link = piece.link;
        if (link != null) link = new Link(link.href, link.host, named.withNames(link.text), named.withNames(link.shown));
        all.add(new Piece(piece.kind, named.withNames(piece.text), link, withNames(piece.pieces, named)));
      }
      return all;
    }

    static Piece text(String text) {
      return new Piece(Kind.TEXT, text, null, Collections.emptyList());
    }

    static Piece code(String code) {
      return new Piece(Kind.CODE, code, null, Collections.emptyList());
    }

    static Piece link(Link link) {
      return new Piece(Kind.LINK, link.shown, link, Collections.emptyList());
    }

    static Piece bold(List<Piece> pieces) {
      return new Piece(Kind.BOLD, "", null, pieces);
    }

    static Piece italic(List<Piece> pieces) {
      return new Piece(Kind.ITALIC, "", null, pieces);
    }

    @Override
    public String toString() {
      return kind.toString();
    }
  }

  /** A paragraph, a quotation, a list or a block of code. */
  public static final class Block {
    /** What a block is. */
    public enum Kind {
      /** Paragraphs. */
      TEXT,
      /** A quotation. */
      QUOTE,
      /** A list. */
      LIST,
      /** A block of code. */
      CODE
    }

    /** The {@link #start} of a list without numbers. */
    public static final int NO_NUMBERS = -1;

    /** What it is. */
    public final Kind kind;
    /** The pieces of a text or a quotation; empty for other kinds. Unmodifiable. */
    public final List<Piece> pieces;
    /** The items of a list; empty for other kinds. Unmodifiable. */
    public final List<List<Piece>> items;
    /** The number of the first item of a list, or {@link #NO_NUMBERS}. */
    public final int start;
    /** The code of a block of code; empty for other kinds. */
    public final String code;
    /** The language of a block of code, or null. */
    public final @Nullable String language;

    private Block(Kind kind, List<Piece> pieces, List<List<Piece>> items, int start, String code, @Nullable String language) {
      this.kind = kind;
      this.pieces = Collections.unmodifiableList(pieces);
      this.items = Collections.unmodifiableList(items);
      this.start = start;
      this.code = code;
      this.language = language;
    }

    Block withNames(NamedText named) {
      List<List<Piece>> all = new ArrayList<>();
      for (List<Piece> item : items) all.add(Collections.unmodifiableList(Piece.withNames(item, named)));
      return new Block(kind, Piece.withNames(pieces, named), all, start, named.withNames(code), language);
    }

    static Block text(List<Piece> pieces) {
      return new Block(Kind.TEXT, pieces, Collections.emptyList(), NO_NUMBERS, "", null);
    }

    static Block quote(List<Piece> pieces) {
      return new Block(Kind.QUOTE, pieces, Collections.emptyList(), NO_NUMBERS, "", null);
    }

    static Block list(int start, List<List<Piece>> items) {
      List<List<Piece>> all = new ArrayList<>();
      for (List<Piece> item : items) all.add(Collections.unmodifiableList(item));
      return new Block(Kind.LIST, Collections.emptyList(), all, start, "", null);
    }

    static Block code(String code, @Nullable String language) {
      return new Block(Kind.CODE, Collections.emptyList(), Collections.emptyList(), NO_NUMBERS, code, language);
    }

    @Override
    public String toString() {
      return kind.toString();
    }
  }

  private MessageText() {}

  /**
   * Returns whether a text has no visible character. The server rejects such a message.
   *
   * @param text any text
   * @return whether it has no visible character
   */
  public static boolean isBlank(String text) {
    return TextCharacters.isBlank(text);
  }

  /**
   * Splits a text without formats, such as a room's topic, into plain text and links. For messages, use {@link
   * #blocks}.
   *
   * @param text any text
   * @return its pieces, in order
   */
  public static List<Piece> links(String text) {
    return TextLinks.split(text);
  }

  /**
   * Parses the text of a message, without its mentions. With them, use {@link Entry#blocks()}, because a name may have
   * signs of formats.
   *
   * @param text the text
   * @return its paragraphs, quotations, lists and blocks of code, in order
   */
  public static List<Block> blocks(String text) {
    return TextFormats.blocks(text);
  }

  /**
   * Returns the links of a message that clients show, which are not in code.
   *
   * @param text the text of a message
   * @return its links, in order
   */
  public static List<Link> linksIn(String text) {
    List<Link> links = new ArrayList<>();
    for (Block block : blocks(text)) {
      addLinks(block.pieces, links);
      for (List<Piece> item : block.items) addLinks(item, links);
    }
    return links;
  }

  private static void addLinks(List<Piece> pieces, List<Link> links) {
    for (Piece piece : pieces) {
      if (piece.link != null) links.add(piece.link);
      addLinks(piece.pieces, links);
    }
  }

  /**
   * Returns the words of a message without the signs of its formats, for example for a notification. With current names,
   * use {@link Entry#plainText()}.
   *
   * @param text the text of a message
   * @return its words
   */
  public static String plain(String text) {
    return plain(blocks(text));
  }

  static String plain(List<Block> blocks) {
    StringBuilder words = new StringBuilder();
    String separator = "";
    for (Block block : blocks) {
      words.append(separator).append(block.code);
      addWords(block.pieces, words);
      for (int i = 0; i < block.items.size(); i++) {
        if (i > 0) words.append('\n');
        if (block.start != Block.NO_NUMBERS) words.append(block.start + i).append(". ");
        addWords(block.items.get(i), words);
      }
      separator = "\n";
    }
    return words.toString();
  }

  private static void addWords(List<Piece> pieces, StringBuilder words) {
    for (Piece piece : pieces) {
      words.append(piece.text);
      addWords(piece.pieces, words);
    }
  }
}
