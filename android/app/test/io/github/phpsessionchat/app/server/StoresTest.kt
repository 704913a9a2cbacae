package io.github.phpsessionchat.app.server

import io.github.phpsessionchat.android.OfflineStore
import java.util.concurrent.TimeUnit
import org.junit.Test
import org.robolectric.shadows.ShadowLooper

class StoresTest : ServerTest() {
    @Test
    fun storesTheOpenRoom() {
        setCookie()
        activity
        openLobby()
        awaitText("To read on the train")
        compose.waitUntil(60_000) {
            ShadowLooper.idleMainLooper(3, TimeUnit.SECONDS)
            OfflineStore(offline).messages("lobby").isNotEmpty() && OfflineStore(offline).rooms() != null
        }
    }
}
