package io.github.phpsessionchat.app.server

import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import org.junit.Test

class CardsTest : ServerTest() {
    @Test
    fun showsACardAndRunsItsButton() {
        setCookie()
        activity
        openLobby()
        awaitText("Order 4711 of Lena")
        compose.onNodeWithText("Ship").performClick()
        awaitText("Shipped")
        compose.onNodeWithText("Ship").assertDoesNotExist()
    }
}
