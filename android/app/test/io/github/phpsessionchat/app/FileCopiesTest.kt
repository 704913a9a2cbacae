package io.github.phpsessionchat.app

import io.github.phpsessionchat.NewFile
import java.io.File
import java.io.FileNotFoundException
import java.nio.file.Files
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Test

class FileCopiesTest {
    private val folder: File = Files.createTempDirectory("copies").toFile()

    @After
    fun end() {
        folder.deleteRecursively()
    }

    /** As a new process. */
    private fun open() = FileCopies(folder, maxBytes = 10)

    private fun file(text: String) = NewFile.of("$text.txt", text.length.toLong()) { text.byteInputStream() }

    private fun FileCopies.keep(room: String, text: String, used: Set<File> = emptySet(), madeAt: Long = 0): File {
        val copy = next(room)
        write(copy, file(text), used)
        copy.setLastModified(madeAt)
        return copy
    }

    private fun FileCopies.contents(room: String) =
        list(room).values.map { "${it.name} ${it.size} ${it.source.open().reader().readText()}" }

    @Test
    fun keepsTheFilesOfARoom() {
        open().apply {
            keep("lobby", "roses", madeAt = 1_000)
            keep("lobby", "oak", madeAt = 2_000)
        }
        assertEquals(listOf("roses.txt 5 roses", "oak.txt 3 oak"), open().contents("lobby"))
        assertEquals(emptyList<String>(), open().contents("market"))
    }

    @Test
    fun deletesTheOldestFilesThatAreNotUsedIfThereIsNoSpace() {
        val copies = open()
        val used = copies.keep("lobby", "oak", madeAt = 1_000)
        copies.keep("lobby", "elm", madeAt = 2_000)
        copies.keep("market", "fir", madeAt = 3_000)
        copies.keep("market", "ash", setOf(used), madeAt = 4_000)
        assertEquals(listOf("oak.txt 3 oak"), copies.contents("lobby"))
        assertEquals(listOf("fir.txt 3 fir", "ash.txt 3 ash"), copies.contents("market"))
    }

    @Test
    fun keepsNoFileThatIsTooLargeOrCannotBeRead() {
        val copies = open()
        assertNull(copies.write(copies.next("lobby"), file("rhododendron"), emptySet()))
        for (error in listOf(FileNotFoundException(), SecurityException())) {
            assertNull(copies.write(copies.next("lobby"), NewFile.of("a", 1) { throw error }, emptySet()))
        }
        assertEquals(emptyMap<File, NewFile>(), copies.list("lobby"))
    }

    @Test
    fun deletesOneFileAndAllFiles() {
        val copies = open()
        copies.delete(copies.keep("lobby", "oak"))
        copies.keep("lobby", "elm")
        assertEquals(listOf("elm.txt 3 elm"), copies.contents("lobby"))
        copies.clear()
        assertFalse(folder.exists())
    }
}
