package io.github.phpsessionchat.android

import android.app.job.JobParameters
import android.content.Context
import java.util.concurrent.TimeUnit

private const val ID = 0x73697465

/** Android runs it later while the device sleeps, or if the user rarely opens the app. */
private const val INTERVAL_HOURS = 1L

/** Visits the site while the app is not on the screen, so that the login lasts until the user returns. */
class VisitJob : ChatJob() {
    override suspend fun work(): Boolean {
        chat?.visitInBackground()
        return true
    }

    /** The next visit follows after the interval. */
    override fun onStopJob(params: JobParameters): Boolean {
        super.onStopJob(params)
        return false
    }

    internal companion object {
        fun schedule(context: Context) {
            val job = jobInfo(context, ID, VisitJob::class.java).setPeriodic(TimeUnit.HOURS.toMillis(INTERVAL_HOURS))
            context.scheduleOnce(job.build())
        }

        fun cancel(context: Context) = context.jobs.cancel(ID)
    }
}
