package android.net.ssl

/** OkHttp catches this exception of newer Android versions, and the JVM of the tests loads it early. */
class InvalidEchDataException : Exception()
