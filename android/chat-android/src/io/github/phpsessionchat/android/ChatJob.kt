package io.github.phpsessionchat.android

import android.app.job.JobInfo
import android.app.job.JobParameters
import android.app.job.JobScheduler
import android.app.job.JobService
import android.content.ComponentName
import android.content.Context
import kotlinx.coroutines.Job
import kotlinx.coroutines.MainScope
import kotlinx.coroutines.launch

/** Work that Android starts when there is a network. */
abstract class ChatJob internal constructor() : JobService() {
    private val scope = MainScope()
    private var running: Job? = null

    /** @return false: Android starts the job again after 30 seconds, and then later each time */
    internal abstract suspend fun work(): Boolean

    override fun onStartJob(params: JobParameters): Boolean {
        running = scope.launch { jobFinished(params, !work()) }
        return true
    }

    /** Android needs the network for something else, or it is gone. Then the job starts again later. */
    override fun onStopJob(params: JobParameters): Boolean {
        running?.cancel()
        return true
    }

    internal companion object {
        /** Android creates services itself, so the chat cannot be handed to them. */
        var chat: AndroidChat? = null
    }
}

/** @param id identifies the job among all jobs of the app */
internal fun jobInfo(context: Context, id: Int, job: Class<out ChatJob>): JobInfo.Builder =
    JobInfo.Builder(id, ComponentName(context, job)).setRequiredNetworkType(JobInfo.NETWORK_TYPE_ANY)

internal val Context.jobs: JobScheduler get() = getSystemService(JobScheduler::class.java)

/** Schedules a job, unless it is already scheduled or running. */
internal fun Context.scheduleOnce(job: JobInfo) {
    if (jobs.getPendingJob(job.id) == null) jobs.schedule(job)
}
