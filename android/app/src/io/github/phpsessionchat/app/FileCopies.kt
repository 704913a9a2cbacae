package io.github.phpsessionchat.app

import io.github.phpsessionchat.NewFile
import java.io.File
import java.io.IOException
import java.util.UUID

/**
 * Copies of files, by room. They survive the end of the process.
 *
 * @param folder a folder for this alone
 * @param maxBytes the maximum size of all copies
 */
class FileCopies(private val folder: File, private val maxBytes: Long) {
    init {
        for (copy in all()) if (!isComplete(copy)) copy.deleteRecursively()
    }

    /** Returns where the next copy of a room will be. */
    fun next(room: String) = File(File(folder, room), "${UUID.randomUUID()}")

    /**
     * Copies a file. If there is no space, deletes the oldest copies first.
     *
     * @param used the copies that must stay
     * @return the copy; null if there is not enough space, or the file cannot be read
     */
    @Synchronized
    fun write(copy: File, file: NewFile, used: Set<File>): NewFile? {
        var free = maxBytes - all().sumOf(::sizeOf)
        for (old in oldestFirst(all() - used)) {
            if (free >= file.size) break
            free += sizeOf(old)
            old.deleteRecursively()
        }
        if (free < file.size) return null
        try {
            copy.mkdirs()
            content(copy).outputStream().use { target -> file.source.open().use { it.copyTo(target) } }
            // Last, because it marks the copy as complete.
            name(copy).writeText(file.name)
            return read(copy)
        } catch (_: IOException) {
            copy.deleteRecursively()
        } catch (_: RuntimeException) {
            // The provider of the file is broken, or has taken its permission back.
            copy.deleteRecursively()
        }
        return null
    }

    /** Returns the copies of a room with their files, in the order in which they were made. */
    @Synchronized
    fun list(room: String): Map<File, NewFile> =
        oldestFirst(File(folder, room).listFiles().orEmpty().filter(::isComplete)).associateWith(::read)

    private fun read(copy: File) = NewFile.of(name(copy).readText(), content(copy).length()) { content(copy).inputStream() }

    fun delete(copy: File) {
        copy.deleteRecursively()
    }

    fun clear() {
        folder.deleteRecursively()
    }

    private fun all(): Set<File> = folder.listFiles().orEmpty().flatMap { it.listFiles().orEmpty().toList() }.toSet()

    private fun oldestFirst(copies: Collection<File>) = copies.sortedBy { it.lastModified() }

    private fun content(copy: File) = File(copy, "content")

    private fun name(copy: File) = File(copy, "name")

    private fun isComplete(copy: File) = name(copy).length() > 0

    private fun sizeOf(copy: File) = content(copy).length()
}
