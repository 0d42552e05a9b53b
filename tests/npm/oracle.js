// Reads one JSON request a line, answers one JSON line each: builds and reads tokens with Agora's own package.
'use strict'
const path = require('path')
const readline = require('readline')
const zlib = require('zlib')

const from = path.join(process.argv[2], 'node_modules', 'agora-token')
const { AccessToken2, ServiceRtc } = require(path.join(from, 'src', 'AccessToken2.js'))
const { RtcTokenBuilder, RtcRole } = require(from)

const body = token => zlib.inflateSync(Buffer.from(token.substring(3), 'base64')).toString('hex')

const answers = {
    build: ask => {
        const token = new AccessToken2(ask.app_id, ask.certificate, ask.issued_at_s, ask.expire_s)
        token.salt = ask.salt
        const service = new ServiceRtc(ask.channel, ask.uid)
        service.add_privilege(ServiceRtc.kPrivilegeJoinChannel, ask.expire_s)
        if (ask.publisher) service.add_privilege(ServiceRtc.kPrivilegePublishAudioStream, ask.expire_s)
        token.add_service(service)
        const built = token.build()
        return { token: built, body: body(built) }
    },
    publisher: ask => {
        const role = ask.publisher ? RtcRole.PUBLISHER : RtcRole.SUBSCRIBER
        return {
            token: RtcTokenBuilder.buildTokenWithUid(
                ask.app_id, ask.certificate, ask.channel, ask.uid, role, ask.expire_s, ask.expire_s
            )
        }
    },
    read: ask => {
        const token = new AccessToken2()
        if (!token.from_string(ask.token)) return { read: false }
        const [service] = token.getServices(1)
        return {
            read: true,
            app_id: token.appId.toString(),
            issued_at_s: token.issueTs,
            expire_s: token.expire,
            salt: token.salt,
            channel: service.__channel_name.toString(),
            uid: service.__uid.toString(),
            privileges: service.__privileges,
            genuine: token.verifySignature(ask.certificate)
        }
    }
}

readline.createInterface({ input: process.stdin }).on('line', line => {
    const ask = JSON.parse(line)
    process.stdout.write(JSON.stringify(answers[ask.do](ask)) + '\n')
})
