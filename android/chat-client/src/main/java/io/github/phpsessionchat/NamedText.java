package io.github.phpsessionchat;

import io.github.phpsessionchat.MessageText.Block;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Parses a text with mentions. Signs replace the names meanwhile, so that no name is a format or a link. */
final class NamedText {
  /** Noncharacters of Unicode. A message has at most 20 mentions. */
  private static final char FIRST_SIGN = '\ufdd0';

  static final int MAX_SIGNS = 32;

  private final List<String> names;

  private NamedText(List<String> names) {
    this.names = names;
  }

  static char sign(int number) {
    return (char) (FIRST_SIGN + number);
  }

  /** Returns the blocks with current names. If the text contains a sign itself, its words stay as they were typed. */
  static List<Block> blocks(String text, List<Mention> mentions) {
    if (mentions.isEmpty() || hasSign(text)) return TextFormats.blocks(text);
    List<String> names = new ArrayList<>();
    String marked = Mention.replaceNames(text, mentions, names);
    NamedText named = new NamedText(names);
    List<Block> blocks = new ArrayList<>();
    for (Block block : TextFormats.blocks(marked)) blocks.add(block.withNames(named));
    return Collections.unmodifiableList(blocks);
  }

  /** Returns a part of the text with the names. */
  String withNames(String part) {
    if (!hasSign(part)) return part;
    StringBuilder words = new StringBuilder();
    for (int i = 0; i < part.length(); i++) {
      int number = part.charAt(i) - FIRST_SIGN;
      if (number >= 0 && number < names.size()) words.append(names.get(number));
      else words.append(part.charAt(i));
    }
    return words.toString();
  }

  private static boolean hasSign(String text) {
    for (int i = 0; i < text.length(); i++) {
      int number = text.charAt(i) - FIRST_SIGN;
      if (number >= 0 && number < MAX_SIGNS) return true;
    }
    return false;
  }
}
