package io.github.phpsessionchat.app

import org.junit.Assert.assertEquals
import org.junit.Test

class PeaksTest {
    @Test
    fun isRelativeToTheLoudest() {
        assertEquals("g".repeat(23) + "v".repeat(23), peaksOf(List(460) { if (it < 230) 0.25f else 0.5f }))
    }

    @Test
    fun noiseStaysSmall() {
        assertEquals("f".repeat(46), peaksOf(List(46) { 0.0725f }))
        assertEquals("0".repeat(46), peaksOf(emptyList()))
    }

    @Test
    fun fewMeasurementsAreStretched() {
        assertEquals("0".repeat(23) + "v".repeat(23), peaksOf(listOf(0f, 1f)))
    }

    @Test
    fun readsTheDigits() {
        assertEquals(listOf(0f, 1f, 10f / 31), levelsOf("0va"))
    }
}
