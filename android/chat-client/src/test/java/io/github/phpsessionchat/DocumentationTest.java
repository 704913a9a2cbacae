package io.github.phpsessionchat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.tools.ToolProvider;
import org.jetbrains.kotlin.cli.common.ExitCode;
import org.jetbrains.kotlin.cli.jvm.K2JVMCompiler;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DocumentationTest {
  private static final Path SOURCES = Paths.get("src/main/java/io/github/phpsessionchat");
  /** Stubs of the Android classes in the example. */
  private static final String[][] ANDROID = {
    {"android.os.Bundle", "public class Bundle {}"},
    {"android.os.Looper", "public class Looper { public static native Looper getMainLooper(); }"},
    {"android.os.Handler", "public class Handler { public Handler(Looper l) {} public native boolean post(Runnable r); }"},
    {"android.util.Log", "public class Log { public static native int i(String t, String m); public static native int w(String t, String m); }"},
    {
      "android.app.Activity",
      "public class Activity { protected void onCreate(android.os.Bundle b) {} protected void onDestroy() {}"
          + " public native java.io.File getFilesDir(); }"
    }
  };

  /** The example omits the imports, which an editor adds. */
  private static final String IMPORTS =
      String.join(
          "\n",
          "import android.app.Activity",
          "import android.os.Bundle",
          "import android.os.Handler",
          "import android.os.Looper",
          "import android.util.Log",
          "import io.github.phpsessionchat.Chat",
          "import io.github.phpsessionchat.ChatListener",
          "import io.github.phpsessionchat.Entry",
          "import io.github.phpsessionchat.FileOutbox",
          "import io.github.phpsessionchat.HistoryView",
          "import io.github.phpsessionchat.Outbox",
          "import io.github.phpsessionchat.SessionCookies",
          "import io.github.phpsessionchat.SiteLogin",
          "import java.io.File",
          "import java.io.IOException",
          "import java.util.concurrent.Executor",
          "import okhttp3.OkHttpClient",
          "");

  @Test
  void javaExampleCompilesAndHasAtMost40Lines(@TempDir Path folder) throws IOException {
    String code = example("java");
    assertTrue(code.split("\n").length <= 40, code.split("\n").length + " lines");
    compile(
        folder,
        Arrays.asList(
            write(folder, "ChatActivity.java", IMPORTS.replace("\n", ";\n") + "import java.util.List;\n" + code)));
  }

  private static void compile(Path folder, List<Path> sources, String[]... more) throws IOException {
    List<String> arguments =
        new ArrayList<>(
            Arrays.asList("--release", "8", "-encoding", "UTF-8", "-Xlint:-options", "-cp", classPath()));
    arguments.addAll(Arrays.asList("-d", folder.toString()));
    for (Path source : sources) arguments.add(source.toString());
    for (Path stub : android(folder, ANDROID)) arguments.add(stub.toString());
    for (Path stub : android(folder, more)) arguments.add(stub.toString());
    ByteArrayOutputStream output = new ByteArrayOutputStream();
    int status = ToolProvider.getSystemJavaCompiler().run(null, output, output, arguments.toArray(new String[0]));
    assertEquals(0, status, output.toString("UTF-8"));
  }

  @Test
  void ticketExampleCompiles(@TempDir Path folder) throws IOException {
    String code =
        "package app; import io.github.phpsessionchat.*; import java.util.concurrent.Executor; import okhttp3.OkHttpClient;\n"
            + "class App { Chat connect(OkHttpClient http, Executor main, ChatListener listener) {\n"
            + blockOfPage("new TicketUrl")
            + "return chat; } }";
    compile(folder, Arrays.asList(write(folder, "app/App.java", code)));
  }

  @Test
  void guestExampleCompiles(@TempDir Path folder) throws IOException {
    String code =
        "package app; import io.github.phpsessionchat.*; import java.security.SecureRandom; import java.util.Base64;"
            + " import java.util.concurrent.Executor; import okhttp3.OkHttpClient;\n"
            + "class App { Chat connect(String name, OkHttpClient http, Executor main, ChatListener listener) {\n"
            + blockOfPage("SecureRandom")
            + "return chat; } }";
    compile(folder, Arrays.asList(write(folder, "app/App.java", code)));
  }

  /** Returns the Java code in docs/android.md that contains a text. */
  private static String blockOfPage(String text) {
    Matcher blocks = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL).matcher(read("docs/android.md"));
    while (blocks.find()) if (blocks.group(1).contains(text)) return blocks.group(1);
    throw new AssertionError("no Java code contains " + text);
  }

  /** The Java example already uses the same API. Loading the Kotlin compiler takes longer than all other tests. */
  @Test
  @Tag("soak")
  void kotlinExampleCompiles(@TempDir Path folder) throws IOException {
    Path code = write(folder, "ChatActivity.kt", IMPORTS + "import kotlin.concurrent.thread\n" + example("kotlin"));
    List<String> arguments = new ArrayList<>(Arrays.asList("-no-stdlib", "-no-reflect", "-jvm-target", "1.8"));
    arguments.addAll(Arrays.asList("-Werror", "-nowarn", "-cp", classPath(), "-d", folder.resolve("out").toString()));
    arguments.add(code.toString());
    for (Path stub : android(folder, ANDROID)) arguments.add(stub.toString());
    ByteArrayOutputStream output = new ByteArrayOutputStream();
    ExitCode status = new K2JVMCompiler().exec(new PrintStream(output), arguments.toArray(new String[0]));
    assertEquals(ExitCode.OK, status, output.toString("UTF-8"));
  }

  @Test
  void pageListsAllMethods() {
    TreeSet<String> documented = new TreeSet<>();
    Pattern name = Pattern.compile("`(\\w+)\\(\\)`");
    for (String line : read("docs/android.md").split("\n")) {
      if (!line.startsWith("| `")) continue;
      Matcher method = name.matcher(line.substring(0, line.indexOf(" | ")));
      while (method.find()) documented.add(method.group(1));
    }
    TreeSet<String> methods = new TreeSet<>();
    for (Class<?> type : Arrays.<Class<?>>asList(Chat.class, Chat.Builder.class, ChatListener.class)) {
      for (Method method : type.getDeclaredMethods()) {
        if (Modifier.isPublic(method.getModifiers()) && !method.isSynthetic()) methods.add(method.getName());
      }
    }
    assertEquals(String.join("\n", methods), String.join("\n", documented));
  }

  @Test
  void commentsMentionNullExactlyForNullableTypes() throws IOException {
    Pattern documented = Pattern.compile("/\\*\\*((?:(?!\\*/).)*)\\*/\\s*(public [^;{]*|default [^;{]*)[;{]", Pattern.DOTALL);
    List<String> different = new ArrayList<>();
    int compared = 0;
    List<Path> sources;
    try (Stream<Path> files = Files.list(SOURCES)) {
      sources = files.filter(file -> !file.endsWith("Callback.java")).collect(Collectors.toList());
    }
    for (Path file : sources) {
      for (Matcher member = documented.matcher(read(file)); member.find(); ) {
        String[] tags = member.group(1).split("@(?=param|return|throws)");
        String declaration = member.group(2);
        for (int i = declaration.contains("(") ? 1 : 0; i < tags.length; i++) {
          String type = typeOf(tags[i], declaration);
          // Comments need not say that a callback may be null. A `@Nullable` within its type concerns the result.
          if (type.contains("Callback<") || type.contains("throws")) continue;
          compared++;
          boolean says = Pattern.compile("\\bnull\\b", Pattern.CASE_INSENSITIVE).matcher(tags[i]).find();
          if (says != type.contains("@Nullable ")) different.add(file.getFileName() + ": " + declaration + ": " + tags[i]);
        }
      }
    }
    assertTrue(compared > 200, compared + " were compared");
    assertEquals(Collections.emptyList(), different);
  }

  /** Returns the part of a declaration that a tag describes. */
  private static String typeOf(String tag, String declaration) {
    if (tag.startsWith("throws")) return "throws";
    Matcher parameter = Pattern.compile("param (\\w+)").matcher(tag);
    if (!parameter.lookingAt()) return declaration.replaceFirst("(?s)\\(.*", "");
    Matcher typed = Pattern.compile("([^(,]*)\\s" + parameter.group(1) + "[,)]").matcher(declaration);
    return typed.find() ? typed.group(1) : "";
  }

  @Test
  void pageListsAllConnectionStates() {
    String page = read("docs/android.md");
    TreeSet<String> missing = new TreeSet<>();
    for (ConnectionState.Kind kind : ConnectionState.Kind.values()) {
      if (!page.contains("| `" + kind + "` |")) missing.add(kind.name());
    }
    for (ConnectionState.Reason reason : ConnectionState.Reason.values()) {
      if (!page.contains("`" + reason + "`")) missing.add(reason.name());
    }
    for (ConnectionState.Refusal refusal : ConnectionState.Refusal.values()) {
      if (!page.contains("`" + refusal + "`")) missing.add(refusal.name());
    }
    assertEquals(Collections.emptySet(), missing);
  }

  @Test
  void pagesContainCurrentVersions() throws IOException {
    Matcher version = Pattern.compile("<version>([^<]+)</version>").matcher(read("android/pom.xml"));
    assertTrue(version.find());
    assertTrue(read("docs/android.md").contains("version " + version.group(1) + ", for wire protocol " + Chat.PROTOCOL));
    assertTrue(read("android/README.md").contains(":chat-client:" + version.group(1) + "\""));
    Matcher okhttp = Pattern.compile("<artifactId>okhttp-jvm</artifactId>\\s*<version>([^<]+)<").matcher(read("android/chat-client/pom.xml"));
    assertTrue(okhttp.find());
    assertTrue(read("android/README.md").contains("okhttp-jvm:" + okhttp.group(1) + "`"));
    Matcher jspecify = Pattern.compile("<artifactId>jspecify</artifactId>\\s*<version>([^<]+)<").matcher(read("android/chat-client/pom.xml"));
    assertTrue(jspecify.find());
    assertTrue(read("android/README.md").contains("`org.jspecify:jspecify:" + jspecify.group(1) + "`"));
  }

  private static String read(String path) {
    return read(Vectors.project(path));
  }

  private static String read(Path path) {
    try {
      return new String(Files.readAllBytes(path), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String classPath() throws IOException {
    String dependencies = new String(Files.readAllBytes(Paths.get("target/test-classpath.txt")), StandardCharsets.UTF_8);
    return "target/classes:" + dependencies;
  }

  /** Returns the longest block in a language, which is not the Gradle snippet. */
  private static String example(String language) {
    Matcher blocks = Pattern.compile("```" + language + "\n(.*?)```", Pattern.DOTALL).matcher(read("android/README.md"));
    String longest = "";
    while (blocks.find()) if (blocks.group(1).length() > longest.length()) longest = blocks.group(1);
    assertTrue(longest.contains("class ChatActivity"));
    return longest;
  }

  private static List<Path> android(Path folder, String[][] stubs) throws IOException {
    List<Path> files = new ArrayList<>();
    for (String[] stub : stubs) {
      int dot = stub[0].lastIndexOf('.');
      String code = "package " + stub[0].substring(0, dot) + "; " + stub[1];
      files.add(write(folder, stub[0].replace('.', '/') + ".java", code));
    }
    return files;
  }

  private static Path write(Path folder, String name, String text) throws IOException {
    Path file = folder.resolve(name);
    Files.createDirectories(file.getParent());
    return Files.write(file, text.getBytes(StandardCharsets.UTF_8));
  }
}
