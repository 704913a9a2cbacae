package io.github.phpsessionchat.app.server;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertTrue;

import android.app.PendingIntent;
import android.content.Intent;
import android.content.IntentSender;
import android.os.Bundle;
import android.os.Parcel;
import android.os.Parcelable;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Modifier;
import java.net.JarURLConnection;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import org.junit.Test;
import org.robolectric.RuntimeEnvironment;

/** Whether Android can save and restore each kind of value that the shrunk app may put into the state of an activity. */
public class ShrunkValuesTest extends ShrunkTest {
  @Test
  public void everyParcelableOfTheAppReturnsFromAParcel() throws Exception {
    List<String> broken = new ArrayList<>();
    List<Class<?>> types = concrete(Parcelable.class, classesNaming("android/os/Parcelable"));
    assertFalse(types.isEmpty());
    for (Class<?> type : types) {
      try {
        assertTrue(type.getField("CREATOR").get(null) instanceof Parcelable.Creator);
        // The app can only read it.
        if (hasOnlyConstructorForParcels(type)) continue;
        Parcelable value = (Parcelable) instance(type);
        byte[] bytes = bytesOf(value);
        Parcel parcel = Parcel.obtain();
        parcel.unmarshall(bytes, 0, bytes.length);
        parcel.setDataPosition(0);
        Parcelable restored = parcel.readParcelable(getClass().getClassLoader());
        assertEquals(type, restored.getClass());
        assertArrayEquals(bytes, bytesOf(restored));
      } catch (Exception | AssertionError e) {
        broken.add(type.getName() + ": " + e);
      }
    }
    assertEquals(Collections.emptyList(), broken);
  }

  @Test
  public void everyScreenOfTheAppReturnsFromSerialization() throws Exception {
    Class<?> screen = Class.forName("io.github.phpsessionchat.app.Screen");
    List<Class<?>> types = concrete(screen, classesNaming("io/github/phpsessionchat/app/Screen"));
    assertFalse(types.isEmpty());
    for (Class<?> type : types) {
      Object value = instance(type);
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      try (ObjectOutputStream stream = new ObjectOutputStream(bytes)) {
        stream.writeObject(value);
      }
      try (ObjectInputStream stream = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
        assertEquals(value, stream.readObject());
      }
    }
  }

  private static byte[] bytesOf(Parcelable value) {
    Parcel parcel = Parcel.obtain();
    parcel.writeParcelable(value, 0);
    return parcel.marshall();
  }

  /** Returns the names of the classes that refer to another class. */
  private List<String> classesNaming(String other) throws Exception {
    URL url = getClass().getResource("/io/github/phpsessionchat/app/MainActivity.class");
    List<String> names = new ArrayList<>();
    try (JarFile jar = ((JarURLConnection) url.openConnection()).getJarFile()) {
      for (JarEntry entry : Collections.list(jar.entries())) {
        if (!entry.getName().endsWith(".class")) continue;
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (InputStream in = jar.getInputStream(entry)) {
          byte[] part = new byte[8192];
          for (int length = in.read(part); length >= 0; length = in.read(part)) bytes.write(part, 0, length);
        }
        String content = new String(bytes.toByteArray(), StandardCharsets.ISO_8859_1);
        if (content.contains(other)) names.add(entry.getName().replace(".class", "").replace('/', '.'));
      }
    }
    return names;
  }

  private List<Class<?>> concrete(Class<?> parent, List<String> names) throws ClassNotFoundException {
    List<Class<?>> found = new ArrayList<>();
    for (String name : names) {
      Class<?> type = Class.forName(name, false, getClass().getClassLoader());
      if (parent.isAssignableFrom(type) && !Modifier.isAbstract(type.getModifiers())) found.add(type);
    }
    return found;
  }

  private static boolean hasInstance(Class<?> type) {
    return Arrays.stream(type.getDeclaredFields()).anyMatch(field -> Modifier.isStatic(field.getModifiers()) && field.getType() == type);
  }

  /** Whether R8 has removed all other constructors, because nothing calls them. */
  private static boolean hasOnlyConstructorForParcels(Class<?> type) {
    return !hasInstance(type) && Arrays.stream(type.getDeclaredConstructors()).allMatch(ShrunkValuesTest::isForParcels);
  }

  private static boolean isForParcels(Constructor<?> constructor) {
    return Arrays.asList(constructor.getParameterTypes()).contains(Parcel.class);
  }

  /** Returns the only instance of an object, or a new instance. */
  private Object instance(Class<?> type) throws Exception {
    for (java.lang.reflect.Field field : type.getDeclaredFields()) {
      if (!Modifier.isStatic(field.getModifiers()) || field.getType() != type) continue;
      field.setAccessible(true);
      return field.get(null);
    }
    Exception last = new InstantiationException(type + " has no constructor");
    for (Constructor<?> constructor : type.getDeclaredConstructors()) {
      if (isForParcels(constructor)) continue;
      try {
        constructor.setAccessible(true);
        Object[] arguments = new Object[constructor.getParameterCount()];
        for (int i = 0; i < arguments.length; i++) arguments[i] = sample(constructor.getParameterTypes()[i]);
        return constructor.newInstance(arguments);
      } catch (InvocationTargetException e) {
        last = e;
      }
    }
    throw last;
  }

  private Object sample(Class<?> type) throws Exception {
    if (type == int.class) return 1;
    if (type == long.class) return 2L;
    if (type == float.class) return 0.5f;
    if (type == boolean.class) return true;
    if (type.isAssignableFrom(String.class)) return "text";
    if (type == Intent.class) return new Intent("action");
    if (type == Bundle.class) return new Bundle();
    if (type == Map.class) return Collections.singletonMap("key", "value");
    if (type == List.class) return Collections.singletonList("item");
    if (type == IntentSender.class) {
      PendingIntent intent = PendingIntent.getActivity(RuntimeEnvironment.getApplication(), 0, new Intent("action"), PendingIntent.FLAG_IMMUTABLE);
      return intent.getIntentSender();
    }
    if (type.getName().startsWith("java.") || type.getName().startsWith("android.")) return null;
    if (!type.isInterface()) return null;
    List<Class<?>> types = concrete(type, classesNaming(type.getName().replace('.', '/')));
    for (Class<?> one : types) if (hasInstance(one)) return instance(one);
    return null;
  }
}
