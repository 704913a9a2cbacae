package io.github.phpsessionchat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.StringWriter;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.net.URI;
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
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DocumentationTest {
  private static final Path SOURCES = Paths.get("src/main/java/io/github/phpsessionchat");
  /** What the example uses of Android, which is not there. */
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

  @Test
  void theExampleOfTheReadmeCompilesAndHasAtMost40Lines(@TempDir Path folder) throws IOException {
    Matcher example = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL).matcher(read("android/README.md"));
    assertTrue(example.find());
    String code = example.group(1);
    assertTrue(code.split("\n").length <= 40, code.split("\n").length + " lines");
    List<JavaFileObject> sources = new ArrayList<>();
    StringBuilder imports = new StringBuilder();
    for (String[] stub : ANDROID) {
      int dot = stub[0].lastIndexOf('.');
      sources.add(source(stub[0], "package " + stub[0].substring(0, dot) + "; " + stub[1]));
      imports.append("import ").append(stub[0]).append(";");
    }
    imports.append("import io.github.phpsessionchat.*; import java.io.*; import java.util.List;");
    imports.append("import java.util.concurrent.Executor; import okhttp3.OkHttpClient;");
    sources.add(source("ChatActivity", imports + "\n" + code));

    String dependencies = new String(Files.readAllBytes(Paths.get("target/test-classpath.txt")), StandardCharsets.UTF_8);
    List<String> options =
        Arrays.asList("--release", "8", "-Xlint:-options", "-cp", "target/classes:" + dependencies, "-d", folder.toString());
    StringWriter said = new StringWriter();
    JavaCompiler javac = ToolProvider.getSystemJavaCompiler();
    assertTrue(javac.getTask(said, null, null, options, null, sources).call(), said.toString());
  }

  @Test
  void thePageNamesEveryMethodOfTheChatAndOfItsListener() throws IOException {
    String page = read("docs/android.md");
    List<String> missing = new ArrayList<>();
    for (Class<?> type : Arrays.<Class<?>>asList(Chat.class, Chat.Builder.class, ChatListener.class)) {
      for (Method method : type.getDeclaredMethods()) {
        boolean hidden = !Modifier.isPublic(method.getModifiers()) || method.isSynthetic();
        if (!hidden && !page.contains(method.getName() + "(")) missing.add(type.getSimpleName() + "." + method.getName());
      }
    }
    assertEquals(Collections.emptyList(), missing);
  }

  @Test
  void thePageNamesEveryPublicTypeAndEveryStateOfTheConnection() throws IOException {
    String page = read("docs/android.md");
    TreeSet<String> missing = new TreeSet<>();
    try (Stream<Path> files = Files.list(SOURCES)) {
      files.forEach(
          file -> {
            String name = file.getFileName().toString().replace(".java", "");
            String text = read(file);
            boolean isPublic = Pattern.compile("^public (final class|interface|enum) " + name, Pattern.MULTILINE).matcher(text).find();
            if (isPublic && !page.contains("`" + name + "`") && !page.contains("## " + name)) missing.add(name);
          });
    }
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
  void thePageStatesTheVersionThatIsPublishedAndTheProtocol() throws IOException {
    Matcher version = Pattern.compile("<version>([^<]+)</version>").matcher(read("android/pom.xml"));
    assertTrue(version.find());
    assertTrue(read("docs/android.md").contains("version " + version.group(1) + ", for wire protocol " + Chat.PROTOCOL));
    assertTrue(read("android/README.md").contains(":chat-client:" + version.group(1) + "\""));
  }

  private static String read(String path) {
    return read(Vectors.project(path));
  }

  private static String read(Path path) {
    try {
      return new String(Files.readAllBytes(path), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  private static JavaFileObject source(String name, String code) {
    URI uri = URI.create("string:///" + name.replace('.', '/') + ".java");
    return new SimpleJavaFileObject(uri, JavaFileObject.Kind.SOURCE) {
      @Override
      public CharSequence getCharContent(boolean ignoreEncodingErrors) {
        return code;
      }
    };
  }
}
